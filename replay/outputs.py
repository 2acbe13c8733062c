"""What a replay leaves behind: findings, refusals, undetermined rows, and the summary."""

from __future__ import annotations

import resource
from collections import Counter
from collections.abc import Iterable
from operator import attrgetter
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from detector.evaluate import Undetermined
from detector.event import Refusal
from detector.explain import Change, Teller
from detector.learning.epochs import Epoch
from detector.verdict import Finding, Withdrawn, canonical, digest
from replay.notices import NoticeLine

_encode = msgspec.json.Encoder().encode
_NAMES = ("subject_kind", "subject", "case_id", "event_id", "item", "department")


class Collected:
    """Findings with their standing, and counts, of one worker's share."""

    def __init__(self, folder: Path, name: str) -> None:
        self.findings: dict[str, Finding] = {}
        self.undetermined: Counter[tuple[str, str]] = Counter()
        self.refusals: list[Refusal] = []
        self.counts: Counter[str] = Counter()
        self.folder, self.name = folder, name
        self.notices: list[NoticeLine] = []  # of the first worker alone
        self.epochs: list[Epoch] = []  # so too
        self._unknown: list[pl.DataFrame] = []

    def settle(self, moves: Iterable[Finding | Change]) -> None:
        """Apply findings and changes of standing in order."""
        for move in moves:
            if isinstance(move, Finding):
                self.findings[move.finding_id] = move
            else:
                gone = Withdrawn(move.reason, move.actor, move.at) if move.reason else None
                self.findings[move.finding_id].withdrawn = gone

    def say_unknown(self, unknown: Undetermined, teller: Teller) -> None:
        """Count and note rows that a rule could not judge."""
        self.undetermined[unknown.rule, unknown.reason] += len(unknown.rows)
        source, rows = unknown.source, unknown.rows
        words = source.words
        self._unknown.append(
            pl.DataFrame(
                {
                    "rule": pl.repeat(unknown.rule, len(rows), eager=True),
                    "reason": pl.repeat(unknown.reason, len(rows), eager=True),
                    "per": pl.repeat(unknown.per, len(rows), eager=True),
                    **_who(unknown),
                    "item": words.item.texts(source.item[rows]),
                    "department": words.department.texts(source.department[rows]),
                    "at": teller.stamps(source.recorded_at[rows]),
                },
                schema_overrides=dict.fromkeys(_NAMES, pl.String),
            )
        )  # fmt: skip

    def write_parts(self) -> None:
        """This worker's findings and undetermined rows as files that `merge` joins."""
        ordered = [self.findings[i] for i in sorted(self.findings)]
        lines = b"".join(_encode(f) + b"\n" for f in ordered)
        (self.folder / f"{self.name}.findings").write_bytes(lines)
        marks = [f.finding_id.encode() + b" " + canonical(f) + b"\n" for f in ordered]
        marks += [n.notice_id.encode() + b" " + n.canonical + b"\n" for n in self.notices]
        (self.folder / f"{self.name}.canonical").write_bytes(b"".join(marks))
        notices = b"".join(n.document + b"\n" for n in self.notices)
        (self.folder / f"{self.name}.notices").write_bytes(notices)
        epochs = b"".join(_encode(one) + b"\n" for one in self.epochs)
        (self.folder / f"{self.name}.epochs").write_bytes(epochs)
        _table(ordered).write_parquet(self.folder / f"{self.name}.parquet", compression="lz4")
        if self._unknown:
            pl.concat(self._unknown).write_ndjson(self.folder / f"{self.name}.undetermined")

    def tally(self) -> dict[str, Any]:
        """The counts of this share, to be added up."""
        standing: dict[str, Counter[str]] = {
            name: Counter() for name in ("by_rule", "withdrawn", "superseded", "muted", "shadow")
        }
        tiers: Counter[str] = Counter()
        cases: dict[str, set[str]] = {}
        mutes: Counter[tuple[str, str]] = Counter()
        for f in self.findings.values():
            standing[_standing(f)][f.rule] += 1
            if f.muted:
                mutes[f.rule, f.muted] += 1
            if f.stands:
                tiers[str(f.tier)] += 1
                if f.case_id is not None:
                    cases.setdefault(f.rule, set()).add(f.case_id)
        return {
            "standing": {name: dict(c) for name, c in standing.items()},
            "tiers": dict(tiers), "cases": {rule: len(c) for rule, c in cases.items()},
            "undetermined": [[*key, n] for key, n in self.undetermined.items()],
            "mutes": [[*key, n] for key, n in mutes.items()],
            "counts": dict(self.counts), "refusals": self.refusals,
            "notice_states": dict(Counter(n.state for n in self.notices)),
            "notice_tiers": dict(Counter(str(n.tier) for n in self.notices)),
            "peak_rss_bytes": peak_rss_bytes(),
        }  # fmt: skip


def _who(unknown: Undetermined) -> dict[str, Any]:
    """What names each row: case and event, or another subject."""
    source, rows = unknown.source, unknown.rows
    nobody: list[str | None] = [None] * len(rows)
    if unknown.per == "subject":
        kinds, subjects = [source.kind] * len(rows), [source.subject[r] for r in rows.tolist()]
        return {"subject_kind": kinds, "subject": subjects, "case_id": nobody, "event_id": nobody}
    events = [e.decode() for e in source.event_id[rows].tolist()]
    cases = source.words.case.texts(source.case[rows])
    return {"subject_kind": nobody, "subject": nobody, "case_id": cases, "event_id": events}


def _standing(finding: Finding) -> str:
    if finding.muted == "shadow":
        return "shadow"
    if finding.muted:
        return "muted"
    if finding.withdrawn is None:
        return "by_rule"
    return "superseded" if finding.withdrawn.reason == "superseded" else "withdrawn"


def peak_rss_bytes() -> int:
    """The most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def merge(out: Path | None, parts: Path, workers: int) -> tuple[str, list[bytes]]:
    """Join the workers' files into the output folder; the digest, and the findings' lines."""
    names = [parts / f"{w}" for w in range(workers)]
    marks = _lines(names, ".canonical")  # each begins with its id, so they sort by it
    whole = digest(line.split(b" ", 1)[1] for line in marks)
    findings = _lines(names, ".findings")
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "findings.ndjson").write_bytes(b"".join(line + b"\n" for line in findings))
        tables = pl.concat([pl.read_parquet(n.with_suffix(".parquet")) for n in names])
        tables.sort("finding_id").write_parquet(out / "findings.parquet", compression="zstd")
        notices = b"".join(line + b"\n" for line in _lines(names, ".notices"))
        (out / "notices.ndjson").write_bytes(notices)
        epochs = names[0].with_suffix(".epochs").read_bytes()
        if epochs:
            (out / "epochs.ndjson").write_bytes(epochs)
        with (out / "undetermined.ndjson").open("wb") as told:
            for name in names:
                part = name.with_suffix(".undetermined")
                if part.exists():
                    told.write(part.read_bytes())
    return whole, findings


def _lines(names: list[Path], suffix: str) -> list[bytes]:
    """All the workers' lines, sorted; each begins with its finding's id."""
    return sorted(line for n in names for line in n.with_suffix(suffix).read_bytes().splitlines())


_FLAT = (
    "finding_id rule edition family tier subject_kind subject case_id district department item step"
    " operator at value unit limit basis rulebook muted".split()
)
_TYPES: dict[str, Any] = {
    "edition": pl.Int64,
    "tier": pl.Int64,
    "value": pl.Float64,
    "limit": pl.Float64,
    "events": pl.List(pl.String),
}


def _table(told: list[Finding]) -> pl.DataFrame:
    """Findings as a table: one column a key, nested ones spelled out, evidence as JSON."""
    flat = zip(*map(attrgetter(*_FLAT), told), strict=True) if told else [()] * len(_FLAT)
    columns: dict[str, pl.Series] = {
        name: pl.Series(name, values, dtype=_TYPES.get(name, pl.String), strict=False)
        for name, values in zip(_FLAT, flat, strict=True)
    }
    joined = pl.Series("events", ["\x1f".join(f.events) for f in told], dtype=pl.String)
    columns["events"] = joined.str.split("\x1f")  # no id holds this character
    spelled: dict[str, list[Any]] = {
        "reason_code": [f.reason.code for f in told],
        "sentence_zh": [f.sentence.zh for f in told],
        "sentence_en": [f.sentence.en for f in told],
        "evidence": [_encode(f.evidence).decode() for f in told],
        "withdrawn": [f.withdrawn.reason if f.withdrawn else None for f in told],
    }
    columns |= {name: pl.Series(name, values, dtype=pl.String) for name, values in spelled.items()}
    return pl.DataFrame(columns)


_ASIDE = ("withdrawn", "superseded", "muted", "shadow")


def summarise(tallies: list[dict[str, Any]], digest_hex: str, seconds: float) -> dict[str, Any]:
    """One summary of all the workers' shares."""
    counts: Counter[str] = Counter()
    sums: dict[str, Counter[str]] = {}
    reasons: dict[str, Counter[str]] = {}
    mutes: dict[str, Counter[str]] = {}
    for tally in tallies:
        counts.update(tally["counts"])
        for name, one in {
            **tally["standing"],
            "tiers": tally["tiers"],
            "cases": tally["cases"],
            "notice_states": tally["notice_states"],
            "notice_tiers": tally["notice_tiers"],
        }.items():
            sums.setdefault(name, Counter()).update(one)
        for rule, reason, n in tally["undetermined"]:
            reasons.setdefault(rule, Counter())[reason] += n
        for rule, reason, n in tally["mutes"]:
            mutes.setdefault(rule, Counter())[reason] += n
    stands = _sorted(sums["by_rule"])
    events = counts["events"]
    return {
        "events": events, "duplicates": counts["duplicates"], "refused": counts["refused"],
        "after_until": counts["after_until"],
        "facts": counts["facts"], "cases": counts["cases"], "findings": sum(stands.values()),
        "by_rule": stands, "by_tier": _sorted(sums["tiers"]),
        "cases_by_rule": _sorted(sums["cases"]),
        "undetermined_by_rule": {r: sum(c.values()) for r, c in sorted(reasons.items())},
        "undetermined_reasons": {r: _sorted(c) for r, c in sorted(reasons.items())},
        "muted_reasons": {r: _sorted(c) for r, c in sorted(mutes.items())},
        **{f"{n}_by_rule": _sorted(sums[n]) for n in _ASIDE},
        "notices": sum(sums["notice_states"].values()),
        "notices_by_state": _sorted(sums["notice_states"]),
        "notices_by_tier": _sorted(sums["notice_tiers"]),
        "privacy_dropped": counts["dropped"], "digest": digest_hex,
        "seconds": round(seconds, 3), "events_per_second": round(events / max(seconds, 1e-9)),
        "peak_rss_bytes": sum(t["peak_rss_bytes"] for t in tallies),
    }  # fmt: skip


def _sorted(counter: Counter[str]) -> dict[str, int]:
    return dict(sorted(counter.items()))
