"""The least working time that a step really takes. 最低办理时间（自学习）

What    For each item, pair of steps and channel the time below which 99 of 100 records never fell,
        in working time since the case's record before.
Basis   Ours. The county set 30 minutes by hand for one pair and wished for the right limit for every
        item (county report). Order statistics on a fixed logarithmic scale, sixteen steps an octave.
Learns from
        Gaps between two full stamps of one case that people typed. Zero lengths, stamps that name
        only their day, records out of order, service accounts, declared imports and items done on
        the spot are left out. Counts are halved every `half_days`, so that old ways fade.
Blind   What nobody does slowly cannot look fast: where a whole office types afterwards, its pace is
        taken for the pace of the work; the floor, the cap and the steps that a person must approve
        stand against that. Parallel steps are not told apart. A pair that fewer than `people_least`
        persons worked leans on its item, an item on its kind of power, a kind on the county.
"""

from collections.abc import Mapping, Sequence
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
    text_hash,
)

OCTAVE, OCTAVES = 16, 22  # bins an octave, octaves above one second
EDGES = np.array([round(SECOND * 2 ** (n / OCTAVE)) for n in range(OCTAVE * OCTAVES + 1)])
BINS = len(EDGES) + 1
PEOPLE = 8  # persons that are told apart for one key
PAIR = ("item", "previous_step", "step", "channel")
ANY = "*"
COUNTY = (ANY,) * 5
NO_DAY = 1 << 40
NOBODY = np.uint64((1 << 64) - 1)  # above every hash
Key = tuple[str, ...]


class Held(msgspec.Struct):
    """What is known of one key, as it is written down."""

    key: Key
    bins: list[tuple[int, int]]
    people: list[int]
    since: int
    until: int


class Frozen(msgspec.Struct):
    """All that is known."""

    era: int
    held: list[Held]
    gathered: list[Held]
    force: list[Limit]


class Counts:
    """Observations by key and bin, and the smallest hashes of who made them."""

    def __init__(self) -> None:
        self.slots: dict[Key, int] = {}
        self.bins = np.zeros((16, BINS), np.int32)
        self.people = np.full((16, PEOPLE), NOBODY)
        self.since = np.full(16, NO_DAY)
        self.until = np.full(16, -NO_DAY)

    def slot(self, key: Key) -> int:
        """The place of a key, made where it is new."""
        at = self.slots.setdefault(key, len(self.slots))
        if at == len(self.bins):
            more = len(self.bins) // 2
            self.bins = np.concatenate([self.bins, np.zeros((more, BINS), np.int32)])
            self.people = np.concatenate([self.people, np.full((more, PEOPLE), NOBODY)])
            self.since = np.concatenate([self.since, np.full(more, NO_DAY)])
            self.until = np.concatenate([self.until, np.full(more, -NO_DAY)])
        return at

    def meet(self, slot: int, people: np.ndarray) -> None:
        """Who worked there: the smallest of all hashes stay, whoever came first."""
        known = np.unique(np.concatenate([self.people[slot], people]))[:PEOPLE]
        self.people[slot, : len(known)] = known

    def sizes(self) -> tuple[np.ndarray, np.ndarray]:
        """Observations and persons (up to `PEOPLE`) of each slot."""
        many = len(self.slots)
        return self.bins[:many].sum(axis=1), (self.people[:many] != NOBODY).sum(axis=1)

    def add(self, more: "Counts", day: int) -> None:
        """Take up what was gathered; it was observed on this day."""
        for key, there in more.slots.items():
            here = self.slot(key)
            self.bins[here] += more.bins[there]
            self.meet(here, more.people[there])
            self.since[here] = min(self.since[here], day)
            self.until[here] = max(self.until[here], day)

    def spell(self) -> list[Held]:
        """Everything, by key."""
        told = []
        for key, at in sorted(self.slots.items()):
            used = np.flatnonzero(self.bins[at]).tolist()
            people = self.people[at][self.people[at] != NOBODY].tolist()
            bins = [(n, int(self.bins[at, n])) for n in used]
            told.append(Held(key, bins, people, int(self.since[at]), int(self.until[at])))
        return told

    def read(self, told: Sequence[Held]) -> None:
        """Know what `spell` told."""
        for one in told:
            at = self.slot(tuple(one.key))
            for n, count in one.bins:
                self.bins[at, n] = count
            self.people[at, : len(one.people)] = one.people
            self.since[at], self.until[at] = one.since, one.until

    def bytes_used(self) -> int:
        """About so much memory."""
        arrays = (self.bins, self.people, self.since, self.until)
        return sum(a.nbytes for a in arrays) + 400 * len(self.slots)


def wider(key: Key) -> Key | None:
    """The group that a key leans on: the pair's item, its kind of power, the county."""
    kind, item, before, *_ = key
    if before != ANY:
        return (kind, item, ANY, ANY, ANY)
    if item != ANY:
        return (kind, ANY, ANY, ANY, ANY)
    return None if key == COUNTY else COUNTY


class Pace(Model):
    """Counts gaps by pair, item, kind and county."""

    def __init__(self, params: Mapping[str, int]) -> None:
        super().__init__(params)
        self.held, self.gathered = Counts(), Counts()
        self.force: dict[Key, Limit] = {}
        self.era = -1
        self._pairs: dict[Key, tuple[Key, ...]] = {}

    def score(self, rows: Rows) -> Scores:
        """Known where a limit is in force for such a row; bits where it was faster than that."""
        limit = np.full(len(rows), NOT_GIVEN)
        bits = np.zeros(len(rows), np.int64)
        found: list[Limit | None] = [None] * 0
        which = np.full(len(rows), -1)
        if self.force and len(rows):
            for at, mine in self._groups(rows):
                one = self._in_force(at, rows)
                if one is not None:
                    limit[mine], which[mine] = one.value * SECOND, len(found)
                    found.append(one)
        gap = rows["gap"]
        known = (which >= 0) & (gap > 0) & ~rows["apart"]
        for n in np.flatnonzero(known & (gap < limit)).tolist():
            one = found[int(which[n])]
            assert one is not None
            bits[n] = self._bits(one.key, int(gap[n]))
        limits = np.where(known, limit, 0)
        return Scores(known, bits, limits, lambda n: self._tell(found[int(which[n])], int(gap[n])))

    def _groups(self, rows: Rows) -> list[tuple[int, np.ndarray]]:
        """Rows of one kind and pair each: (one of them, all of them)."""
        codes = np.zeros(len(rows), np.int64)
        for name in ("kind", *PAIR):
            column = rows[name].astype(np.int64)
            codes = codes * (int(column.max()) + 2) + column + 1
        _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
        order = np.argsort(inverse, kind="stable")
        ends = np.cumsum(np.bincount(inverse))
        parts = np.split(order, ends[:-1])
        return list(zip(first.tolist(), parts, strict=True))

    def _key(self, at: int, rows: Rows) -> Key:
        return tuple(rows.text(n, int(rows[n][at])) for n in ("kind", *PAIR))

    def _in_force(self, at: int, rows: Rows) -> Limit | None:
        key: Key | None = self._key(at, rows)
        while key is not None:
            if key in self.force:
                return self.force[key]
            key = wider(key)
        return None

    def _bits(self, key: Key, gap: int) -> int:
        slot = self.held.slots.get(key)
        counts = np.zeros(BINS, np.int32) if slot is None else self.held.bins[slot]
        within = int(np.searchsorted(EDGES, gap, side="right"))
        odds = (float(counts[: within + 1].sum()) + 0.5) / (float(counts.sum()) + 1)
        return round(-BIT * float(np.log2(odds)))

    def _tell(self, limit: Limit | None, gap: int) -> dict[str, Any]:
        assert limit is not None
        slot = self.held.slots.get(limit.key)
        counts = np.zeros(BINS, np.int32) if slot is None else self.held.bins[slot]
        within = int(np.searchsorted(EDGES, gap, side="right"))
        return {
            "least_s": limit.value,
            "cases": limit.n,
            "people": limit.people,
            "pooled": limit.pooled,
            "since_day": limit.since,
            "until_day": limit.until,
            "ordinary": limit.ordinary,
            "as_fast": int(counts[: within + 1].sum()),
            "typical_s": limit.ordinary[1][0],
            "slow_s": limit.ordinary[2][0],
        }

    def learn(self, rows: Rows) -> None:
        """Count the gaps that tell of somebody's pace."""
        rows = rows.take(
            np.flatnonzero((rows["gap"] > 0) & ~rows["apart"] & (rows["operator"] >= 0))
        )
        if not len(rows):
            return
        bins = np.searchsorted(EDGES, rows["gap"], side="right")
        who, person = np.unique(rows["operator"], return_inverse=True)
        hashes = np.array([text_hash(rows.text("operator", o)) for o in who.tolist()], np.uint64)
        for at, mine in self._groups(rows):
            counts = np.bincount(bins[mine], minlength=BINS).astype(np.int32)
            people = np.unique(hashes[person[mine]])[:PEOPLE]
            key: Key | None = self._key(at, rows)
            while key is not None:
                slot = self.gathered.slot(key)
                self.gathered.bins[slot] += counts
                self.gathered.meet(slot, people)
                key = wider(key)

    def watch(self) -> list[tuple[str, str, int]]:
        """Of each item the middle of the day's gaps, and what one in ten falls below: there it shows
        when a single person quickens. In hundredths of an octave."""
        told = []
        for key, at in sorted(self.gathered.slots.items()):
            bins = self.gathered.bins[at]
            if key[1] != ANY and key[2] == ANY and bins.sum() >= self.params["watch_least"]:
                sums, n = bins.cumsum(), int(bins.sum())
                for what, rank in (("middle", (n + 1) // 2), ("fast", (n + 9) // 10)):
                    told.append((key[1], what, int(np.searchsorted(sums, rank)) * 100 // OCTAVE))
        return told

    def published(self) -> bytes:
        """The limits in force, and the counts that bits are taken from."""
        force = [self.force[key] for key in sorted(self.force)]
        return msgspec.json.encode([force, int(self.held.bins.sum())])

    def publish(self, day: int) -> list[Limit]:
        """Every key's limit, as far as enough people worked there often enough."""
        self.held.add(self.gathered, day - 1)
        self.gathered = Counts()
        era = day // self.params["half_days"]
        if self.era >= 0 and era > self.era:
            self.held.bins >>= min(era - self.era, 31)
        self.era = era
        sizes, people = self.held.sizes()
        known: dict[Key, tuple[float, str]] = {}
        told = []
        order = sorted(self.held.slots, key=lambda k: (-k.count(ANY), k))
        low = self._quantiles(10), self._quantiles(500), self._quantiles(900)
        for key in order:  # the widest first, so that the narrower lean on it
            at, above = self.held.slots[key], wider(key)
            n, persons = int(sizes[at]), int(people[at])
            parent, pooled = known.get(above, (0.0, "")) if above else (0.0, "")
            if n < self.params["cases_least"] or persons < self.params["people_least"]:
                continue
            own, weight = float(low[0][at]), self.params["lean"] if parent else 0
            value = (n * own + weight * parent) / (n + weight)
            leans = "" if key.count(ANY) == 0 and n >= 10 * weight else "*"
            known[key] = value, pooled
            ordinary = tuple(
                (round(2 ** float(q[at])), share * n // 1000)
                for q, share in zip(low, (10, 500, 900), strict=True)
            )
            told.append(
                Limit(
                    key=key,
                    value=max(1, int(2**value)),
                    n=n,
                    people=persons,
                    pooled=leans,
                    since=int(self.held.since[at]),
                    until=int(self.held.until[at]),
                    ordinary=ordinary,
                )
            )
        return told

    def _quantiles(self, permille: int) -> np.ndarray:
        """log2 of the seconds that this share of each slot's observations stay below; within a bin
        observations are taken to lie evenly on the logarithmic scale."""
        bins = self.held.bins[: len(self.held.slots)]
        sums = bins.cumsum(axis=1)
        rank = sums[:, -1] * permille / 1000
        at = (sums <= rank[:, None]).sum(axis=1).clip(0, BINS - 1)
        slots = np.arange(len(bins))
        before = np.where(at > 0, sums[slots, at - 1], 0)
        inside = (rank - before) / np.maximum(bins[slots, at], 1)
        return np.asarray((at - 1 + inside.clip(0, 1)) / OCTAVE)

    def enforce(self, limits: Sequence[Limit]) -> None:
        """These are in force, and no others."""
        self.force = {one.key: one for one in limits}

    def freeze(self) -> bytes:
        """All counts by key, and what is in force."""
        force = [self.force[key] for key in sorted(self.force)]
        return msgspec.json.encode(
            Frozen(self.era, self.held.spell(), self.gathered.spell(), force)
        )

    def thaw(self, data: bytes) -> None:
        """Know what was frozen."""
        told = msgspec.json.decode(data, type=Frozen)
        self.held, self.gathered, self.era = Counts(), Counts(), told.era
        self.held.read(told.held)
        self.gathered.read(told.gathered)
        self.enforce(told.force)

    def bytes_used(self) -> int:
        """Counts of both, and the limits in force."""
        return self.held.bytes_used() + self.gathered.bytes_used() + 700 * len(self.force)


def _told(seconds: Sequence[int], **more: Any) -> tuple[dict[str, Any], ...]:
    """Gaps of a survey after acceptance, worked by five people in turn."""
    common = {"item": "permit", "kind": "01", "previous_step": "accept", "step": "survey"} | more
    return tuple(row(gap=s * SECOND, operator=f"P{n % 5}", **common) for n, s in enumerate(seconds))


_DAY = _told([1800 + 60 * (n % 100) for n in range(400)])
_ASKED = _told([58])

LEARNER = Learner(
    id="pace",
    edition=1,
    zh="最低办理时间",
    en="least working time",
    basis="Ours: the first percentile of what the work really took; the county's 30 minutes were set by hand (county report)",
    sees="step",
    make=Pace,
    keys=("kind", *PAIR),
    unit="s",
    floor=5,
    cap=7 * 86_400,
    params=(
        Param("cases_least", 50, "cases", "with fewer observations a key has no limit of its own", 20, 100_000),
        Param("people_least", 3, "persons", "with fewer persons a key has no limit of its own", 1, PEOPLE),
        Param("lean", 20, "cases", "so many observations the wider group weighs", 0, 10_000),
        Param("watch_least", 20, "cases", "on a day with fewer nothing is said of an item's pace", 1, 100_000),
        Param("half_days", 180, "days", "after so many days what was seen weighs half", 7, 3_650),
    ),
    bytes_a_key=4_096,
    examples=(
        Example("a survey in 58 seconds where it takes half an hour", (_DAY,), _ASKED, True, bits_least=8_000, limit_least=1_500 * SECOND, limit_most=1_900 * SECOND),
        Example("what takes as long as usual says nothing", (_DAY,), _told([3_600]), True, bits_most=0),
        Example("two persons' work is no measure of anybody else's", (tuple(r | {"operator": f"P{n % 2}"} for n, r in enumerate(_DAY)),), _ASKED, False),
        Example("too few cases", (_told([1_800] * 40),), _ASKED, False),
        Example("another pair of the item leans on the item", (_DAY,), _told([58], step="review"), True, limit_least=1_500 * SECOND, limit_most=1_900 * SECOND),
        Example("service accounts are no measure", (tuple(r | {"apart": True} for r in _DAY),), _ASKED, False),
        Example("nothing was learned yet", (), _ASKED, False),
    ),
)  # fmt: skip
