"""A finding's evidence as people read it (证据): each part by its name, each value in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detector.web.pages.names import Names
from detector.web.times import Times

_STEPS = ("step", "previous_step", "held_step", "other_step", "skipped_steps")
_PEOPLE = ("operator", "previous_operator")
_DUTIES = ("duty", "other_duty")
_UNITS = {"limit_days": "work_days", "limit_hours": "h"}
_TOLD = ("ordinary", "unusual", "why_zh", "why_en")  # as a histogram, and in `why`


class Evidence:
    """Names and values of evidence in one language."""

    def __init__(self, names: Names, times: Times) -> None:
        self.names, self.times = names, times

    def rows(self, finding: Mapping[str, Any]) -> list[tuple[str, str]]:
        """What a finding rests on: (what, in words)."""
        held, named = finding["evidence"], self.names.word
        told = [
            (named("evidence", key), self._value(key, value, finding["item"]))
            for key, value in held.items()
            if key not in _TOLD
        ]
        why = held.get(f"why_{self.names.lang}")
        return [*told, (named("evidence", "why"), why)] if why else told

    def _value(self, key: str, value: Any, item: str | None) -> str:
        if value is None or value == "":
            return "—"
        if isinstance(value, bool):
            return self.names.t("day.on" if value else "day.off")
        if isinstance(value, list):
            parts = [self._value(key, one, item) for one in value]
            return self.names.t("list.join").join(parts) or "—"
        return self._coded(key, value, item) if isinstance(value, str) else self._number(key, value)

    def _coded(self, key: str, value: str, item: str | None) -> str:
        if key in _STEPS:
            return self.names.step(item, value)
        if key in _PEOPLE:
            return self.names.person(value)
        if key in _DUTIES:
            return self.names.word("duty", value)
        if key == "procedure":
            return self.names.word(key, value)
        known = self.names.word(f"evidence.{key}", value)
        return known if known != value else str(self.times.shown(value))

    def _number(self, key: str, value: Any) -> str:
        if key == "notice_tier":
            return self.names.tier(value)
        if key == "usual_twice":
            return f"{value / 2:,.10g}"
        if key.endswith("_fen"):
            return self.names.amount(value, "fen")
        unit = _UNITS.get(key) or ("s" if key.endswith("_s") else "")
        told = self.names.amount(value, unit) if unit else f"{value:,}"
        if unit != "s" or value < 120:
            return told
        return self.names.t("amount.took", n=told, took=self.times.took(value))
