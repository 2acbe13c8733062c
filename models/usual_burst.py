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
from typing import Any, NamedTuple

import msgspec
import numpy as np

from detector.counting.buckets import Buckets, Told
from detector.counting.latest import LatestDays
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


class Speaks(NamedTuple):
    """The buckets that speak for each operator (own, the department's or the county's): a row an
    operator by name."""

    place: dict[str, int]  # operator → row
    sizes: np.ndarray  # int64 [operators, sizes]: buckets of each size
    people: np.ndarray  # whose buckets those are: so many persons'
    pooled: list[str]  # "": the operator's own


class UsualBurst(Model):
    """Sizes of ten-minute buckets by operator."""

    def __init__(self, params: Mapping[str, int]) -> None:
        super().__init__(params)
        self.shown = Buckets()
        self.past = LatestDays(params["days"], len(SIZES))  # buckets of each size, by operator
        self.departments: dict[str, str] = {}  # of each one's last day: that with most cases
        self.force: dict[str, Limit] = {}
        self._speaks: Speaks | None = None  # made when it is first asked for

    def learn(self, rows: Rows) -> None:
        """Note each case in its ten minutes, once."""
        told = (rows["operator"] >= 0) & (rows["case"] >= 0) & ~rows["apart"]
        told &= rows["recorded_at"] != NOT_GIVEN
        if told.any():
            rows = rows.take(np.flatnonzero(told))
            self.shown.add(rows, rows["recorded_at"] // BUCKET)

    def publish(self, day: int) -> list[Limit]:
        """The day that ended joins each operator's past."""
        who, cases, people = self.shown.sizes()
        at = np.searchsorted(SIZES, np.minimum(cases, SIZES[-1]))
        counts = np.bincount(who * len(SIZES) + at, minlength=len(people) * len(SIZES))
        self.past.add([name for name, _ in people], day - 1, counts.reshape(-1, len(SIZES)))
        self.departments.update(people)
        for gone in self.past.drop(day - FORGET_DAYS):
            del self.departments[gone]
        self.shown, self._speaks = Buckets(), None
        return self._limits() if len(self.past) else []

    def _speaking(self) -> Speaks:
        """Added up once a day, for all operators together."""
        if self._speaks is None:
            names, least = sorted(self.past.place), self.params["buckets_least"]
            own = self.past.sums(names)
            departments = [self.departments[who] for who in names]
            codes = {name: n for n, name in enumerate(dict.fromkeys(departments))}
            of = np.array([codes[name] for name in departments])
            theirs = np.zeros((len(codes), len(SIZES)), np.int64)
            np.add.at(theirs, of, own)
            few = own.sum(axis=1) < least
            fewer = few & (theirs.sum(axis=1) < least)[of]
            sizes = np.where(few[:, None], theirs[of], own)
            sizes[fewer] = own.sum(axis=0)
            people = np.where(few, np.bincount(of)[of], 1)
            people[fewer] = len(names)
            pooled = [
                (COUNTY if c else name or COUNTY) if f else ""
                for name, f, c in zip(departments, few.tolist(), fewer.tolist(), strict=True)
            ]
            place = {who: n for n, who in enumerate(names)}
            self._speaks = Speaks(place, sizes, people, pooled)
        return self._speaks

    def _limits(self) -> list[Limit]:
        place, sizes, people, pooled = self._speaking()
        summed = sizes.cumsum(axis=1)
        ranks = -(-summed[:, -1:] * SHARES // 1_000)
        at = (summed[:, None, :] < ranks[:, :, None]).sum(axis=2)
        told = zip(
            place, people.tolist(), pooled, summed[:, -1].tolist(), SIZES[at].tolist(),
            np.take_along_axis(summed, at, axis=1).tolist(), *self.past.spans(list(place)),
            strict=True,
        )  # fmt: skip
        return [
            Limit(
                key=(who,), value=points[2], n=n, people=many, pooled=whose, since=since,
                until=until, ordinary=tuple(dict(zip(points, upto, strict=True)).items()),
            )
            for who, many, whose, n, points, upto, since, until in told
        ]  # fmt: skip

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
        if who not in self.past.place:
            return np.zeros(len(cases), np.int64)
        place, sizes, *_ = self._speaking()
        counts = sizes[place[who]]
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
        past = [
            (who, self.departments[who], *self.past.told(who)) for who in sorted(self.past.place)
        ]
        force = [self.force[who] for who in sorted(self.force)]
        return msgspec.msgpack.encode((self.shown.spell(), past, force))

    def published(self) -> bytes:
        """The limits in force, and how many buckets bits are taken from."""
        buckets = int(self.past.sums(list(self.past.place)).sum())
        return msgspec.json.encode([[self.force[who] for who in sorted(self.force)], buckets])

    def thaw(self, data: bytes) -> None:
        """Know what was frozen."""
        shown, past, force = msgspec.msgpack.decode(data, type=Frozen)
        self.shown, self._speaks = Buckets(), None
        self.shown.read(shown)
        self.past = LatestDays(self.params["days"], len(SIZES))
        self.past.read([(who, days, buckets) for who, _, days, buckets in past])
        self.departments = {who: where for who, where, *_ in past}
        self.enforce(force)

    def bytes_used(self) -> int:
        """Arrays, limits, and the day's cases."""
        speaks = 0 if self._speaks is None else self._speaks.sizes.nbytes
        names = 450 * len(self.past) + 900 * len(self.force)
        return self.past.bytes_used() + speaks + names + self.shown.bytes_used()


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
