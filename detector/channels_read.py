"""Reads channels.toml: every mistake with its key, line and remedy. No secret may stand in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from detector.channels import KINDS, Channels, ChannelSettings, DeliverySettings, Route, Silence
from detector.channels_kinds import OF_KIND, no_literals, web_address
from detector.sms import count
from detector.tomlfile import Document, Problem, Table, shown
from detector.values import LocalZone, read_time

CHANNELS_MAX, ROUTES_MAX, MUTES_MAX = 64, 1_000, 1_000
PER_MINUTE = (1, 1_000_000)
SIGNATURE_UNITS_MAX = 30
BOUNDS = {
    "pierce_tier": (0, 5),
    "group_wait_s": (0, 3_600),
    "group_from": (2, 10_000),
    "recipient_per_hour_max": (1, 10_000),
    "recipient_per_day_max": (1, 10_000),
    "attempts_max": (1, 20),
    "sms_parts_max": (1, 10),
}
NAME = re.compile(r"[A-Za-z0-9_-]{1,40}", re.ASCII)  # it stands in addresses and message ids
_CLOCK = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d", re.ASCII)


def read_channels(doc: Document, zone: LocalZone, problems: list[Problem]) -> Channels:
    """The ways out of a district."""
    root = doc.root(problems)
    delivery = _delivery(root.table("delivery"))
    channels = tuple(_channel(one) for one in _rows(root, "channels", CHANNELS_MAX))
    _fit(root, delivery, channels)
    names = [one.name for one in channels]
    for n, name in enumerate(names):
        if name in names[:n]:
            root.fault(("channels", n, "name"), f"{shown(name)} is given twice", "rename one")
    routes = tuple(_route(one, names) for one in _rows(root, "routes", ROUTES_MAX))
    mutes = tuple(_mute(one, names, zone) for one in _rows(root, "mutes", MUTES_MAX))
    root.close()
    if not channels:
        return Channels(delivery, mutes=mutes)
    return Channels(delivery, channels, routes or (Route(tuple(names)),), mutes)


def _rows(root: Table, key: str, most: int) -> list[Table]:
    rows = root.tables(key)
    if len(rows) > most:
        root.fault(key, f"has more than {most} entries", "remove some")
    return rows[:most]


def _delivery(table: Table) -> DeliverySettings:
    usual = DeliverySettings()
    base = web_address(table, "base_url", False)
    quiet = []
    for n, pair in enumerate(table.rows("quiet") or []):
        times = pair if isinstance(pair, list) and len(pair) == 2 else ["", ""]
        if all(_CLOCK.fullmatch(str(one)) for one in times) and times[0] != times[1]:
            quiet.append((_minute(times[0]), _minute(times[1])))
        else:
            table.fault(("quiet", n), "is no pair of two times", 'write ["21:00", "07:30"]')
    told: dict[str, Any] = {
        name: given
        for name, bounds in BOUNDS.items()
        if (given := table.whole(name, *bounds)) is not None
    }
    if table.rows("quiet") is not None:
        told["quiet"] = tuple(quiet)
    settings = DeliverySettings(
        base_url=base, signature=table.text("signature", ""),
        on_days_off=table.flag("on_days_off", usual.on_days_off), **told,
    )  # fmt: skip
    table.close()
    return settings


def _fit(root: Table, delivery: DeliverySettings, channels: Sequence[ChannelSettings]) -> None:
    """A signature must leave room for words."""
    told: list[tuple[tuple[str | int, ...], str]] = [
        (("delivery", "signature"), delivery.signature)
    ]
    for n, one in enumerate(channels):
        told.append((("channels", n, "signature"), one.settings.get("signature") or ""))
    for place, signature in told:
        if count("", signature) > SIGNATURE_UNITS_MAX:
            reason = f"is longer than {SIGNATURE_UNITS_MAX} characters with its 【】"
            root.fault(place, reason, "write a short name")


def _minute(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


def _channel(table: Table) -> ChannelSettings:
    name, kind = table.text("name"), table.choice("kind", KINDS)
    if name and not NAME.fullmatch(name):
        table.fault("name", f"{shown(name)} is no name", "use up to 40 letters, figures, _ and -")
    most = table.whole("per_minute_max", *PER_MINUTE)
    no_literals(table)
    settings = OF_KIND[kind](table)
    table.close()
    return ChannelSettings(name, kind, 600 if most is None else most, settings)


def _route(table: Table, names: Sequence[str]) -> Route:
    told = _named(table, names)
    if not told:
        table.fault("channels", "names none", "name the channels that serve it")
    route = Route(
        told, _wholes(table, "tiers", 0, 4), _wholes(table, "levels", 1, 2),
        table.texts("departments", ()), table.texts("persons", ()), table.texts("occasions", ()),
    )  # fmt: skip
    table.close()
    return route


def _named(table: Table, names: Sequence[str]) -> tuple[str, ...]:
    told = table.texts("channels", ())
    for n, one in enumerate(told):
        if one not in names:
            table.fault(("channels", n), f"{shown(one)} is no channel", "name one of [[channels]]")
    return told


def _wholes(table: Table, key: str, low: int, high: int) -> tuple[int, ...]:
    good = []
    for n, one in enumerate(table.rows(key) or []):
        if isinstance(one, int) and not isinstance(one, bool) and low <= one <= high:
            good.append(one)
        else:
            table.fault((key, n), f"{shown(one)} is not from {low} to {high}", "correct it")
    return tuple(good)


def _mute(table: Table, names: Sequence[str], zone: LocalZone) -> Silence:
    instants = []
    for key in ("from", "until"):
        text = table.text(key)
        try:
            instants.append(read_time(text, zone) if text else 0)
        except ValueError as fault:
            table.fault(key, str(fault), 'write "2026-03-02 09:00:00"')
            instants.append(0)
    if 0 < instants[1] <= instants[0]:
        table.fault("until", "is not after from", "write the later instant there")
    told = Silence(
        table.text("reason"), instants[0], instants[1], table.texts("departments", ()),
        table.texts("persons", ()), _named(table, names), _wholes(table, "tiers", 0, 4),
    )  # fmt: skip
    table.close()
    return told
