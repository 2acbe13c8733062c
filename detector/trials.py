"""A limit on trial (试行): a rule once more, beside itself, with other limits and no voice.

`[rules.<id>.trial]` sets what the rule might judge by: parameters, bands, its table. The rule as it
would then be is judged beside the one in force, under the id `<id>.trial`; all that it finds is
muted `shadow`, so both can be compared on the same cases before anybody is told anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from detector.overrides import MODES, disorder, read_bands, read_entries, read_params, with_bands
from detector.rulekit import Params, Rule
from detector.tomlfile import Table

if TYPE_CHECKING:
    from detector.shelf import Configured

ENDS = ".trial"  # how the id of a rule on trial ends; no other id holds a dot
TRIED = ("case", "operator")  # what rules are about of which two may be judged side by side
SHADOW = MODES[1]
NOTES = ("since", "reason", "approved_by")  # keys that judge nothing


@dataclass(frozen=True)
class Trial:
    """What is tried of a rule, since when (as it is written) and why."""

    params: Mapping[str, int] = field(default_factory=dict)
    entries: tuple[Mapping[str, Any], ...] | None = None  # of the rule's table, all of them
    bands: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    since: str = ""
    reason: str = ""
    approved_by: str = ""

    def told(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "since": self.since or None, "reason": self.reason, "approved_by": self.approved_by,
            "params": dict(self.params), "bands": {c: dict(b) for c, b in self.bands.items()},
            "entries": None if self.entries is None else [dict(e) for e in self.entries],
        }  # fmt: skip


def may_be_tried(rule: Rule) -> bool:
    """Whether the rule can be judged beside itself: a learned limit is not set by hand, and the
    clocks of special procedures are those of one rule."""
    procedure = rule.clock is not None and rule.clock.kind == "procedure"
    return rule.subject in TRIED and not rule.learner and not procedure


def base_of(rule: str) -> str:
    """The rule that is tried, of a rule on trial; any other is its own."""
    return rule.removesuffix(ENDS)


def read_trial(rule: Rule, table: Table, held: Trial | None) -> Trial | None:
    """The trial that a rule's table sets, else the one of the layer below."""
    if not may_be_tried(rule) or table.take("trial") is None:
        return held  # of a rule about anything else it is an unknown key
    row = table.table("trial")
    params, bands = read_params(rule, row), read_bands(rule, row.table("bands"))
    entries = None
    if rule.table and row.take(rule.table.name) is not None:
        entries = read_entries(rule, row)
    if not params and not bands and entries is None:
        row.fault((), "tries nothing", "name a parameter, a band or the table")
    code = disorder(with_bands(rule, bands)) if bands else ""
    if code:
        row.fault(
            "bands", f"{code} no longer begins above the band before it", "let the edges rise"
        )
    since = row.text("since", "")
    if since and not _instant(since):
        row.fault("since", "is no instant", 'write since = "2026-03-02T09:00:00+08:00"')
    told = Trial(params, entries, bands, since, row.text("reason"), row.text("approved_by"))
    row.close()
    return told


def _instant(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def tried(live: Configured) -> Configured | None:
    """The rule as it would be, to be judged beside it; None where nothing is tried."""
    trial = live.trial
    if trial is None:
        return None
    rule = with_bands(live.rule, trial.bands)
    rule = replace(
        rule, id=f"{rule.id}{ENDS}", zh=f"{rule.zh}（试行）", en=f"{rule.en} (on trial)",
        blocking=False,
    )  # fmt: skip
    params = Params(**(vars(live.params) | dict(trial.params)))
    entries = live.entries if trial.entries is None else trial.entries
    quiet = tuple(replace(o, mode=SHADOW if o.mode == MODES[0] else o.mode) for o in live.overrides)
    return replace(
        live, rule=rule, mode=SHADOW, params=params, entries=entries, overrides=quiet,
        blocking=False, trial=None,
    )  # fmt: skip
