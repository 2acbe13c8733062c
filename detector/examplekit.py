"""How a rule file tells its examples: stories of events and facts, and what they must come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


def ev(action: str, at: str, **fields: Any) -> dict[str, Any]:
    """An event of an example: recorded and done at `at` (naive, the district's clock)."""
    return {"action": action, "recorded_at": at, "occurred_at": at} | fields


def fact(kind: str, received_at: str, **fields: Any) -> dict[str, Any]:
    """A fact of an example's story, as it reached us at `received_at`."""
    return {"kind": kind, "received_at": received_at} | fields


def act(name: str, at: str, actor: str = "S1", **fields: Any) -> dict[str, Any]:
    """What somebody does to the notice of `order`."""
    told = {"act_id": f"{name} {at}", "notice_id": "n1", "act": name, "actor": actor, "at": at}
    return fact("act", at, **told, **fields)


def order(tier: int = 2, at: str = "2026-03-02 10:00:00") -> dict[str, Any]:
    """A notice by hand about case c1 of department D01."""
    about = {"subject_kind": "case", "subject": "c1", "department": "D01"}
    return act("order", at, "L2", **about, tier=tier, text="速办")


@dataclass(frozen=True)
class Example:
    """A story that is test and documentation at once.

    `story` is a list of events made by `ev` and facts made by `fact`; `want` is what it must come
    to: a band code, `clear`, `undetermined:<reason>`, `muted:<reason>` or `withdrawn:<code>`.
    """

    title: str
    story: tuple[Mapping[str, Any], ...]
    want: str
    count: int = 1  # how many findings of that kind
    item: Mapping[str, Any] = field(default_factory=dict)  # overrides of the example item
    params: Mapping[str, Any] = field(default_factory=dict)
    until: str | None = None  # the tick that ends the story
    lacks: tuple[str, ...] = ()  # columns that its source has not
    beside: tuple[str, ...] = ()  # other rules that judge it too
    people: Mapping[str, str] = field(default_factory=dict)  # of people.csv: person → role
