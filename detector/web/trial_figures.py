"""What is shown beside a rule's limits: shadow against live, and what verdicts propose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from detector.ledger import Held, Query, Reading
from detector.ledger.verdicts import NONE, VERDICTS
from detector.live.limits import limits_of
from detector.one_stamp import ONE_STAMP as STAMP
from detector.shelf import Configured
from detector.suggest import Nothing, Seen, Suggestion, by_limit
from detector.trials import ENDS, SHADOW
from detector.values import DAY_US
from detector.web.rule_cards import DAYS
from detector.web.scopes import masked
from detector.web.who import Who

ROWS_MAX, SEEN_MAX, EXAMPLES = 5_000, 2_000, 10


class _Doc(msgspec.Struct):
    """What is compared of a finding's document."""

    finding_id: str
    subject_kind: str
    subject: str
    events: list[str]
    muted: str | None = None
    value: int | float | None = None
    limit: int | float | None = None


@dataclass(frozen=True)
class Compared:
    """A rule's findings by the limit in force and by the one on trial, of one stretch of time."""

    live: int
    trial: int
    only_live: list[dict[str, Any]]  # examples, the newest first
    only_trial: list[dict[str, Any]]
    many_live: int
    many_trial: int
    whole: bool  # False: so many that only the newest were compared


@dataclass(frozen=True)
class Put:
    """What verdicts propose for a limit, and the name of the one that it is, if it is one."""

    told: Suggestion | Nothing
    setting: str | None


def compared(reader: Reading, c: Configured, clock_us: int, me: Who) -> Compared | None:
    """Shadow against live since the trial began, or of the last days where it does not say when
    that was; None where nothing is tried."""
    if c.trial is None:
        return None
    since = _instant(c.trial.since) if c.trial.since else clock_us - DAYS * DAY_US
    mine, theirs = (
        reader.findings(
            Query(rule=rule, begin_us=since, departments=me.departments, limit=ROWS_MAX)
        )
        for rule in (c.rule.id, f"{c.rule.id}{ENDS}")
    )
    full = [rows[-1][0] for rows in (mine, theirs) if len(rows) == ROWS_MAX]
    if full:  # of both only what lies within the shorter stretch
        mine, theirs = ([r for r in rows if r[0] >= max(full)] for rows in (mine, theirs))
    live = _speaking(mine, (None, SHADOW))
    # what a close under one stamp took back is not taken back of what spoke to nobody
    stamped = {_key(held) for _, held in mine if held.withdrawn and held.withdrawn.reason == STAMP}
    trial = {k: h for k, h in _speaking(theirs, (SHADOW,)).items() if k not in stamped}
    only_live = [held for key, held in live.items() if key not in trial]
    only_trial = [held for key, held in trial.items() if key not in live]
    return Compared(
        len(live), len(trial), _shown(only_live, me), _shown(only_trial, me), len(only_live),
        len(only_trial), not full,
    )  # fmt: skip


def _speaking(
    rows: Sequence[tuple[int, Held]], muted: tuple[str | None, ...]
) -> dict[tuple[Any, ...], Held]:
    """What stands and would speak, by what it is about and rests on."""
    told: dict[tuple[Any, ...], Held] = {}
    for _, held in rows:
        doc = msgspec.json.decode(held.doc, type=_Doc)
        if held.withdrawn is None and doc.muted in muted:
            told.setdefault(_key(held), held)
    return told


def _key(held: Held) -> tuple[Any, ...]:
    """What a finding is about and rests on, by whichever limit."""
    doc = msgspec.json.decode(held.doc, type=_Doc)
    return (doc.subject_kind, doc.subject, *doc.events)


def _shown(some: Sequence[Held], me: Who) -> list[dict[str, Any]]:
    return [msgspec.json.decode(masked(me, held.json())) for held in some[:EXAMPLES]]


def _instant(text: str) -> int:
    """µs UTC of the instant since when something is tried."""
    told = datetime.fromisoformat(text)
    return int(told.timestamp()) * 1_000_000


def proposed(reader: Reading, c: Configured, me: Who) -> list[Put]:
    """What verdicts propose for each limit of a rule that they speak of."""
    seen: list[Seen] = []
    for verdict in (*VERDICTS, NONE):
        state = "stands" if verdict == NONE else None
        wanted = Query(
            rule=c.rule.id, state=state, verdict=verdict, departments=me.departments,
            limit=SEEN_MAX,
        )  # fmt: skip
        for _, held in reader.findings(wanted):
            doc = msgspec.json.decode(held.doc, type=_Doc)
            if doc.value is not None and doc.limit is not None:
                seen.append(Seen(doc.finding_id, doc.value, doc.limit, verdict))
    names: dict[float, list[str]] = {}
    for one in limits_of(c):
        if one.value is not None:
            names.setdefault(one.value, []).append(one.name)
    told = [one for one in by_limit(seen) if one.verdicts]
    return [Put(one, _only(names.get(one.limit, []))) for one in told]


def _only(names: list[str]) -> str | None:
    """The one name; None where a number stands in several places, or in none."""
    return names[0] if len(names) == 1 else None
