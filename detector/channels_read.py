"""Reads channels.toml: every mistake with its key, line and remedy. No secret may stand in it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import Any, Protocol
from urllib.parse import urlsplit

from detector.channels import KINDS, Channels, ChannelSettings, DeliverySettings, Route, Silence
from detector.tomlfile import Document, Problem, Table, shown
from detector.values import LocalZone, read_time

CHANNELS_MAX, ROUTES_MAX, MUTES_MAX = 64, 1_000, 1_000
SECRETS = ("secret", "password", "token", "key", "secrets")
SIGNS = ("none", "md5", "hmac_sha256", "hmac_sha1")
RECEIPTS = ("delivered", "failed", "read")
_ENV = re.compile(r"[A-Z][A-Z0-9_]{0,63}", re.ASCII)
_CLOCK = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d", re.ASCII)


class _Reader(Protocol):
    def __call__(self, table: Table) -> dict[str, Any]: ...


def read_channels(doc: Document, zone: LocalZone, problems: list[Problem]) -> Channels:
    """The ways out of a district."""
    root = doc.root(problems)
    delivery = _delivery(root.table("delivery"))
    channels = tuple(_channel(one) for one in _rows(root, "channels", CHANNELS_MAX))
    names = [one.name for one in channels]
    for n, name in enumerate(names):
        if name in names[:n]:
            root.fault(("channels", n, "name"), f"{shown(name)} is given twice", "rename one")
    routes = tuple(_route(one, names) for one in _rows(root, "routes", ROUTES_MAX))
    mutes = tuple(_mute(one, zone) for one in _rows(root, "mutes", MUTES_MAX))
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
    base = table.text("base_url", "")
    if base and urlsplit(base).scheme not in ("http", "https"):
        table.fault("base_url", f"{shown(base)} is no web address", 'write "https://…"')
    quiet = []
    for n, pair in enumerate(table.rows("quiet") or []):
        times = pair if isinstance(pair, list) and len(pair) == 2 else ["", ""]
        if all(_CLOCK.fullmatch(str(one)) for one in times):
            quiet.append((_minute(times[0]), _minute(times[1])))
        else:
            table.fault(("quiet", n), "is no pair of times", 'write ["21:00", "07:30"]')
    told: dict[str, Any] = {
        name: given
        for name, low, high in (
            ("pierce_tier", 0, 5), ("group_wait_s", 0, 3_600), ("group_from", 2, 10_000),
            ("recipient_per_hour_max", 1, 10_000), ("recipient_per_day_max", 1, 10_000),
            ("attempts_max", 1, 20),
        )
        if (given := table.whole(name, low, high)) is not None
    }  # fmt: skip
    if table.rows("quiet") is not None:
        told["quiet"] = tuple(quiet)
    settings = DeliverySettings(
        base_url=base, signature=table.text("signature", ""),
        on_days_off=table.flag("on_days_off", usual.on_days_off), **told,
    )  # fmt: skip
    table.close()
    return settings


def _minute(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


def _channel(table: Table) -> ChannelSettings:
    name, kind = table.text("name"), table.choice("kind", KINDS)
    most = table.whole("per_minute_max", 1, 1_000_000)
    for key in SECRETS:
        if table.take(key) is not None:
            remedy = f'write {key}_env = "ORIOLE_…", the variable that holds it'
            table.fault(key, "is a secret, and the file is kept in the journal", remedy)
    settings = _OF_KIND[kind](table)
    table.close()
    return ChannelSettings(name, kind, 600 if most is None else most, settings)


def _url(table: Table, key: str = "url", needed: bool = True) -> dict[str, Any]:
    url = table.text(key, None if needed else "")
    if url and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname):
        table.fault(key, f"{shown(url)} is no web address", 'write "https://…"')
    told: dict[str, Any] = {key: url} if url else {}
    networks = table.texts("allow_private", ())
    for n, one in enumerate(networks):
        try:
            ipaddress.ip_network(one)
        except ValueError:
            table.fault(("allow_private", n), f"{shown(one)} is no range", 'write "10.1.0.0/16"')
    timeout = table.whole("timeout_s", 1, 60)
    return told | {"allow_private": networks} | ({"timeout_s": timeout} if timeout else {})


def _env(table: Table, key: str, needed: bool = True) -> dict[str, str]:
    name = table.text(key, None if needed else "")
    if name and not _ENV.fullmatch(name):
        table.fault(key, f"{shown(name)} is no name of a variable", 'write "ORIOLE_SMS_SECRET"')
    return {key: name} if name else {}


def _texts_of(table: Table) -> dict[str, str]:
    """A table whose keys are the gateway's and whose values are texts."""
    return {key: table.text(key) for key in table.keys}


def _log(table: Table) -> dict[str, Any]:
    return {}


def _sms(table: Table) -> dict[str, Any]:
    told = _url(table) | _env(table, "secret_env", False)
    told["format"] = table.choice("format", ("form", "json"), "form")
    told["signature"], told["account"] = table.text("signature", ""), table.text("account", "")
    body, headers = table.table("body"), table.table("headers")
    told["body"], told["headers"] = _texts_of(body), _texts_of(headers)
    if not any("{to}" in v for v in told["body"].values()):
        table.fault("body", "names no {to}", 'write mobile = "{to}" or as the gateway calls it')
    sign = table.table("sign")
    told["sign"] = {
        "kind": sign.choice("kind", SIGNS, "none"), "over": sign.text("over", "{text}"),
        "as": sign.choice("as", ("hex", "base64"), "hex"),
    }  # fmt: skip
    sign.close()
    success = table.table("success")
    told["success"] = {"field": success.text("field", "-"), "values": success.texts("values", ())}
    told["success"]["field"] = told["success"]["field"].removeprefix("-")
    if not told["success"]["values"]:
        success.fault("values", "is empty", 'write what the gateway says of success: ["0"]')
    success.close()
    told["id_field"], told["retry_codes"] = table.text("id_field", ""), table.texts("retry_codes")
    if table.take("receipts") is not None:
        told["receipts"] = _receipts(table.table("receipts"))
    return told


def _receipts(table: Table) -> dict[str, Any]:
    statuses = table.table("statuses")
    told = {
        "header": table.text("header"), "status_field": table.text("status_field"),
        "message_field": table.text("message_field", ""), "id_field": table.text("id_field", ""),
        "statuses": {key: statuses.choice(key, RECEIPTS) for key in statuses.keys},
    }  # fmt: skip
    table.close()
    return told


def _smpp(table: Table) -> dict[str, Any]:
    told = {
        "host": table.text("host"), "port": table.whole("port", 1, 65_535) or 2_775,
        "system_id": table.text("system_id"), "from": table.text("from", ""),
        "signature": table.text("signature", ""), "tls": table.flag("tls", False),
    }  # fmt: skip
    return told | _env(table, "password_env")


def _webhook(table: Table) -> dict[str, Any]:
    names = table.texts("secrets_env", ())
    if not names or not all(_ENV.fullmatch(one) for one in names):
        remedy = 'write secrets_env = ["ORIOLE_HOOK_SECRET"]'
        table.fault("secrets_env", "names no variables with secrets", remedy)
    return _url(table) | {"secrets_env": names, "source": table.text("source", "/oriole")}


def _robot(table: Table) -> dict[str, Any]:
    told = _url(table, "base_url", False) | _env(table, "token_env")
    return told | _env(table, "secret_env", False)


_OF_KIND: dict[str, _Reader] = {
    "log": _log, "sms_http": _sms, "smpp": _smpp, "webhook": _webhook, "dingtalk": _robot,
    "wecom": _robot, "feishu": _robot,
}  # fmt: skip


def _route(table: Table, names: Sequence[str]) -> Route:
    told = table.texts("channels", ())
    for n, one in enumerate(told):
        if one not in names:
            table.fault(("channels", n), f"{shown(one)} is no channel", "name one of [[channels]]")
    if not told:
        table.fault("channels", "names none", "name the channels that serve it")
    route = Route(
        told, _wholes(table, "tiers", 0, 4), _wholes(table, "levels", 1, 2),
        table.texts("departments", ()), table.texts("persons", ()), table.texts("occasions", ()),
    )  # fmt: skip
    table.close()
    return route


def _wholes(table: Table, key: str, low: int, high: int) -> tuple[int, ...]:
    good = []
    for n, one in enumerate(table.rows(key) or []):
        if isinstance(one, int) and not isinstance(one, bool) and low <= one <= high:
            good.append(one)
        else:
            table.fault((key, n), f"{shown(one)} is not from {low} to {high}", "correct it")
    return tuple(good)


def _mute(table: Table, zone: LocalZone) -> Silence:
    instants = []
    for key in ("from", "until"):
        text = table.text(key)
        try:
            instants.append(read_time(text, zone) if text else 0)
        except ValueError as fault:
            table.fault(key, str(fault), 'write "2026-03-02 09:00:00"')
            instants.append(0)
    told = Silence(
        table.text("reason"), instants[0], instants[1], table.texts("departments", ()),
        table.texts("persons", ()), table.texts("channels", ()), _wholes(table, "tiers", 0, 4),
    )  # fmt: skip
    table.close()
    return told
