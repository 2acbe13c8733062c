"""How many cases an operator usually records in ten minutes. 平常办件节奏

What    Of each operator the distinct cases in the ten minutes in which anything was recorded: their
        median and 95 % point over the last 90 days on which the operator worked at all.
Basis   Ours. Bursts are named in the county report without a figure; `batch_entry` compares with the
        median of 20 working days, and this shows how far single days lie from it.
Learns from
        Every record of a named operator, counted in ten minutes of recorded time (UTC). Service
        accounts, declared imports and items done on the spot are left out.
Blind   Who always types in bursts has bursts as the usual. Fewer than 20 buckets lean on the
        department that the operator last worked for, then on the county. More than 20 cases are told
        to one of twelve sizes; a bucket that is cut by midnight counts as two.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from detector.learnkit import (
    BIT,
    NOT_GIVEN,
    SECOND,
    Example,
    Learner,
    Limit,
    Model,
    Param,
    Rows,
    Scores,
    row,
)

BUCKET = 600 * SECOND
# Sizes of a bucket: exact up to 20 cases, then "up to so many".
SIZES = np.array([*range(1, 21), 25, 30, 40, 50, 60, 80, 100, 150, 200, 300, 500, 1_000], np.int64)
SHARES = np.array([500, 750, 950, 1_000])  # ‰ of the buckets that a limit's ordinary range names
FORGET_DAYS = 400  # an operator who recorded nothing for so long is forgotten
COUNTY = "*"
PARAMS = (
    Param("days", 90, "days", "days on which anything was recorded that count", 5, 90),
    Param("buckets_least", 20, "buckets", "with fewer an operator leans on the department", 1, 10_000),
)  # fmt: skip
Shown = dict[tuple[str, str], dict[int, set[str]]]  # (operator, department) → bucket → cases


class Past(msgspec.Struct, array_like=True):
    """What is kept of one operator: a row a day, oldest first."""

    department: str  # of the last day: the one with most cases
    days: np.ndarray  # int32
    buckets: np.ndarray  # uint8 [days, sizes]: buckets of each size, at most 255


class Group(msgspec.Struct):
    """Buckets of a department, or of the whole county."""

    sizes: np.ndarray  # int64: buckets of each size
    people: int = 0


class UsualBurst(Model):
    """Sizes of ten-minute buckets by operator."""

    def __init__(self, params: Mapping[str, int]) -> None:
        super().__init__(params)
        self.shown: Shown = {}
        self.past: dict[str, Past] = {}
        self.force: dict[str, Limit] = {}
        self._groups: dict[str, Group] | None = None  # by "=" and department, or COUNTY

    def learn(self, rows: Rows) -> None:
        """Note each case in its ten minutes, once."""
        told = (rows["operator"] >= 0) & (rows["case"] >= 0) & ~rows["apart"]
        told &= rows["recorded_at"] != NOT_GIVEN
        columns = [rows[n][told] for n in ("operator", "department", "case")]
        columns.append(rows["recorded_at"][told] // BUCKET)
        if not told.any():
            return
        for who, where, case, bucket in np.unique(np.stack(columns, axis=1), axis=0).tolist():
            key = rows.text("operator", who), rows.text("department", where)
            held = self.shown.setdefault(key, {}).setdefault(bucket, set())
            held.add(rows.text("case", case))

    def publish(self, day: int) -> list[Limit]:
        """The day that ended joins each operator's past."""
        cases: dict[str, dict[int, set[str]]] = {}
        most: dict[str, tuple[int, str]] = {}
        for (who, where), buckets in sorted(self.shown.items()):
            mine = cases.setdefault(who, {})
            for bucket, held in buckets.items():
                mine.setdefault(bucket, set()).update(held)
            many = sum(map(len, buckets.values()))
            if who not in most or many > most[who][0]:
                most[who] = many, where
        for who, held_by in cases.items():
            self._add(who, most[who][1], day - 1, [len(c) for c in held_by.values()])
        self.past = {w: p for w, p in self.past.items() if p.days[-1] >= day - FORGET_DAYS}
        self.shown, self._groups = {}, None
        return [self._limit(who) for who in sorted(self.past)]

    def _add(self, who: str, department: str, day: int, sizes: list[int]) -> None:
        at = np.searchsorted(SIZES, np.minimum(sizes, SIZES[-1]))
        counts = np.bincount(at, minlength=len(SIZES))
        held = self.past.get(who)
        if held is None:
            held = Past(department, np.zeros(0, np.int32), np.zeros((0, len(SIZES)), np.uint8))
        if len(held.days) and held.days[-1] == day:  # a day that was published before goes on
            counts = counts + held.buckets[-1]
            held.days, held.buckets = held.days[:-1], held.buckets[:-1]
        kept = self.params["days"] - 1
        days = np.append(held.days, np.int32(day))[-kept - 1 :].copy()
        new = np.minimum(counts, 255).astype(np.uint8)[None]
        buckets = np.concatenate([held.buckets, new])[-kept - 1 :].copy()
        self.past[who] = Past(department, days, buckets)

    def _group(self, name: str) -> Group:
        """The department ("=" and its name) or the county, added up once a day."""
        if self._groups is None:
            self._groups = {}
            for held in self.past.values():
                counts = held.buckets.sum(axis=0, dtype=np.int64)
                for place in (f"={held.department}", COUNTY):
                    group = self._groups.setdefault(place, Group(np.zeros(len(SIZES), np.int64)))
                    group.sizes += counts
                    group.people += 1
        return self._groups[name]

    def _leans(self, who: str) -> tuple[Group, str]:
        """The buckets that speak for an operator, and whose they are: own, department's, county's."""
        held, least = self.past[who], self.params["buckets_least"]
        own = Group(held.buckets.sum(axis=0, dtype=np.int64), 1)
        if own.sizes.sum() >= least:
            return own, ""
        group = self._group(f"={held.department}")
        if group.sizes.sum() >= least:
            return group, held.department or COUNTY
        return self._group(COUNTY), COUNTY

    def _limit(self, who: str) -> Limit:
        held, (group, pooled) = self.past[who], self._leans(who)
        summed = group.sizes.cumsum()
        at = np.searchsorted(summed, -(-summed[-1] * SHARES // 1_000))
        points = dict(zip(SIZES[at].tolist(), summed[at].tolist(), strict=True))
        return Limit(
            key=(who,), value=int(SIZES[at[2]]), n=int(summed[-1]), people=group.people,
            since=int(held.days[0]), until=int(held.days[-1]), pooled=pooled,
            ordinary=tuple(points.items()),
        )  # fmt: skip

    def enforce(self, limits: Sequence[Limit]) -> None:
        """These are in force, and no others."""
        self.force = {one.key[0]: one for one in limits}

    def score(self, rows: Rows) -> Scores:
        """Known of operators with a limit in force. The limit is the 95 % point; bits say how rare
        ten minutes of `value` cases are, where that is asked."""
        codes, inverse = np.unique(rows["operator"], return_inverse=True)
        names = [rows.text("operator", code) if code >= 0 else None for code in codes.tolist()]
        found = [self.force.get(name) if name is not None else None for name in names]
        known = np.array([one is not None for one in found], bool)[inverse]
        limit = np.array([one.value if one else 0 for one in found], np.int64)[inverse]
        bits, asked = np.zeros(len(rows), np.int64), known & (rows["value"] > 0)
        for n in np.unique(inverse[asked]).tolist():
            mine = asked & (inverse == n)
            bits[mine] = self._bits(names[n] or "", rows["value"][mine])
        return Scores(
            known,
            bits,
            limit,
            lambda n: self._tell(rows.text("operator", int(rows["operator"][n]))),
        )

    def _bits(self, who: str, cases: np.ndarray) -> np.ndarray:
        if who not in self.past:
            return np.zeros(len(cases), np.int64)
        counts = self._leans(who)[0].sizes
        at = np.searchsorted(SIZES, np.minimum(cases, SIZES[-1]))
        as_many = counts[::-1].cumsum()[::-1][at]
        return np.rint(-BIT * np.log2((as_many + 0.5) / (counts.sum() + 1))).astype(np.int64)

    def _tell(self, who: str) -> dict[str, Any]:
        one = self.force.get(who)
        if one is None:
            return {}
        half = next((size for size, upto in one.ordinary if 2 * upto >= one.n), one.value)
        return {
            "usual_cases": half, "cases_95": one.value, "buckets": one.n, "people": one.people,
            "pooled": one.pooled, "since_day": one.since, "until_day": one.until,
            "ordinary": one.ordinary,
        }  # fmt: skip

    def freeze(self) -> bytes:
        """Names, buckets and cases in order."""
        shown = [
            (*key, [(bucket, sorted(held)) for bucket, held in sorted(buckets.items())])
            for key, buckets in sorted(self.shown.items())
        ]
        past = [
            (who, p.department, p.days.tolist(), p.buckets.tobytes())
            for who, p in sorted(self.past.items())
        ]
        force = [self.force[who] for who in sorted(self.force)]
        return msgspec.msgpack.encode((shown, past, force))

    def published(self) -> bytes:
        """The limits in force, and how many buckets bits are taken from."""
        buckets = sum(int(p.buckets.sum()) for p in self.past.values())
        return msgspec.json.encode([[self.force[who] for who in sorted(self.force)], buckets])

    def thaw(self, data: bytes) -> None:
        """Know what was frozen."""
        shown, past, force = msgspec.msgpack.decode(data, type=Frozen)
        self.shown = {(w, d): {b: set(held) for b, held in told} for w, d, told in shown}
        self.past = {
            who: Past(
                where, np.array(days, np.int32),
                np.frombuffer(sizes, np.uint8).reshape(-1, len(SIZES)).copy(),
            )
            for who, where, days, sizes in past
        }  # fmt: skip
        self._groups = None
        self.enforce(force)

    def bytes_used(self) -> int:
        """Arrays, limits, and the day's cases."""
        arrays = sum(p.buckets.nbytes + p.days.nbytes for p in self.past.values())
        buckets = [held for told in self.shown.values() for held in told.values()]
        day = 300 * len(self.shown) + sum(300 + 100 * len(held) for held in buckets)
        return arrays + 600 * len(self.past) + 900 * len(self.force) + day


Told = list[tuple[int, list[str]]]
Frozen = tuple[list[tuple[str, str, Told]], list[tuple[str, str, list[int], bytes]], list[Limit]]


def _buckets(sizes: Iterable[int], who: str = "A", **more: Any) -> tuple[dict[str, Any], ...]:
    """A bucket each with so many cases."""
    return tuple(
        row(
            operator=who,
            recorded_at=n * BUCKET + c * SECOND,
            case=f"{who}-{n}-{c}",
            **{"department": "D1"} | more,
        )
        for n, size in enumerate(sizes)
        for c in range(size)
    )


_DAY = _buckets([1, 2, 2, 3] * 10)
_ASKED = (row(operator="A", value=8),)

LEARNER = Learner(
    id="usual_burst",
    edition=1,
    zh="平常办件节奏",
    en="usual cases in ten minutes",
    basis="Ours: order statistics of ten-minute buckets",
    sees="step",
    make=UsualBurst,
    keys=("operator",),
    unit="cases",
    told_only=True,
    params=PARAMS,
    bytes_a_key=6_000,
    examples=(
        Example("eight cases where two are usual", (_DAY,), _ASKED, known=True, bits_least=6_000, limit_least=3, limit_most=3),
        Example("two cases where two are usual", (_DAY,), (row(operator="A", value=2),), known=True, bits_most=1_000),
        Example("a case that comes twice counts once", (_DAY + _DAY,), _ASKED, known=True, limit_most=3),
        Example("a newcomer leans on the department", (_DAY + _buckets([9], "B"),), (row(operator="B", value=9),), known=True, limit_most=3),
        Example("service accounts do not count", (_buckets([9] * 40, apart=True),), _ASKED, known=False),
        Example("an operator whom nobody knows", (_DAY,), (row(operator="C"),), known=False),
    ),
)  # fmt: skip
