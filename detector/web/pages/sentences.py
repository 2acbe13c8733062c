"""A rule's sentence with names and yuan in it (说明句): told again where it is shown.

What is stored says codes and fen, and is compared byte by byte. Here it is read along the rule's
own template: what stands at a place is put into words, everything else stays to the letter. A
sentence that does not follow the template (of an older edition) is shown as it was stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from string import Formatter
from typing import TYPE_CHECKING, Any, NamedTuple

from detector.explain import ABSENT_TEXT, short
from detector.rulekit import Rule

if TYPE_CHECKING:
    from detector.web.pages.names import Names

CODES = ("grade", "factors", "missing_documents", "missing_fields")
TEMPLATES_MAX = 1_024
MONEY, SHARE = (" 分", " fen"), ("‰", " ‰")  # units as templates write them behind a number


class Place(NamedTuple):
    """What is stored at a place of a template, how it is shown, and the unit that it swallows."""

    stored: str
    shown: str
    units: tuple[str, ...] = ()


@lru_cache(TEMPLATES_MAX)
def parts_of(template: str) -> list[tuple[str, str]]:
    """A template as (text, the place behind it); "" where none follows."""
    return [(text, name or "") for text, name, *_ in Formatter().parse(template)]


def retell(told: str, template: str, places: Mapping[str, Place]) -> str:
    """A text that was written by a template, with other words at some of its places."""
    parts, at, unit, new = parts_of(template), 0, "", list[str]()
    for n, (text, name) in enumerate(parts):
        if not told.startswith(text, at):
            return told
        at += len(text)
        new.append(text.removeprefix(unit))
        after = parts[n + 1][0] if n + 1 < len(parts) else ""
        place, unit = places.get(name), ""
        if not name:
            continue
        if place is None:  # up to the next fixed text
            end = told.find(after, at) if after else len(told)
            new.append(told[at:end])
        else:
            end = at + len(place.stored)
            unit = next((one for one in place.units if after.startswith(one)), "")
            new.append(place.shown)
        if end < at or (place and told[at:end] != place.stored):
            return told
        at = end
    return "".join(new) if at == len(told) else told


def places_of(finding: Mapping[str, Any], rule: Rule, names: Names) -> dict[str, Place]:
    """What a finding's sentence says in codes and fen, and how that is shown."""
    held = finding["evidence"]
    told = {n: finding[n] for n in ("department", "item", "operator") if finding[n]} | held
    places = {}
    for name, named in (
        ("department", names.department), ("item", names.item),
        ("operator", names.person), ("previous_operator", names.person),
    ):  # fmt: skip
        if told.get(name):
            places[name] = Place(told[name], named(told[name]))
    subject = finding["subject"]
    places["subject"] = Place(subject, names.called(finding["subject_kind"], subject))
    for name in CODES:
        if told.get(name):
            codes = told[name] if isinstance(told[name], list) else [told[name]]
            shown = names.t("list.join").join(names.word(f"evidence.{name}", one) for one in codes)
            places[name] = Place("、".join(codes), shown)
    return places | _numbers(finding, rule, names)


def _numbers(finding: Mapping[str, Any], rule: Rule, names: Names) -> dict[str, Place]:
    """Amounts in yuan, and shares in percent."""
    value, limit = finding["value"], finding["limit"]
    spoken = str(short(value, limit))
    amounts = {n: (v, str(v)) for n, v in finding["evidence"].items() if n.endswith("_fen")}
    if rule.unit == "fen":
        amounts |= {"value": (value, spoken), "limit": (limit, str(short(limit or 0, value)))}
    places = {
        name: Place(ABSENT_TEXT, ABSENT_TEXT, MONEY)
        if fen is None
        else Place(said, names.amount(fen, "fen"), MONEY)
        for name, (fen, said) in amounts.items()
    }
    shares = rule.unit == "permille" and any(f"{{value}}{one}" in rule.sentence_zh for one in SHARE)
    if shares:
        places["value"] = Place(spoken, f"{value / 10:,.10g} %", SHARE)
    return places
