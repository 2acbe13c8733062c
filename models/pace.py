"""The least working time that a step really takes. 最低办理时间（自学习）

What    For each item, pair of steps and channel the time below which 99 of 100 records never fell,
        in working time since the case's record before.
Basis   Ours. The county set 30 minutes by hand for one pair and wished for the right limit for every
        item (county report). Order statistics on a fixed logarithmic scale, sixteen steps an octave.
        Records beyond Tukey's outer fence (the lower quartile less three times the range between the
        quartiles, of log seconds) do not count: in a log-normal work time that is one record in a
        million, while a few records in a hundred that were typed afterwards would otherwise *be* the
        first percentile. A limit leans on its group with the weight of `lean` observations: the
        variance of one observation's say in the percentile against that between pairs of an item.
Learns from
        Gaps between two full stamps of one case that people typed. Zero lengths, stamps that name
        only their day, records out of order, service accounts, declared imports and items done on
        the spot are left out. Counts are halved every `half_days`, so that old ways fade.
Blind   What nobody does slowly cannot look fast: where a quarter of an office's records are typed
        afterwards, its pace is taken for the pace of the work; the floor, the cap and the steps that
        a person must approve stand against that. Parallel steps are not told apart. A pair that
        fewer than `people_least` persons worked leans on its item, an item on its kind of power, a
        kind on the county.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from detector.learnkit import (
    BIT,
    NOT_GIVEN,
    PEOPLE,
    SECOND,
    Counts,
    Example,
    Gathered,
    Key,
    Learner,
    Limit,
    Model,
    Param,
    Rows,
    Scores,
    Spelled,
    grown,
    row,
    text_hash,
)

OCTAVE, OCTAVES = 16, 22  # bins an octave, octaves above one second
EDGES = np.array([round(SECOND * 2 ** (n / OCTAVE)) for n in range(OCTAVE * OCTAVES + 1)])
BINS = len(EDGES) + 1
PAIR = ("item", "previous_step", "step", "channel")
ANY = "*"
COUNTY = (ANY,) * 5
SHARES = (10, 500, 900)  # ‰ below the limit, below what is usual, below what is slow
FENCE = 3  # times the range between the quartiles
LEANS = 20  # told where the group has more than this part of the say
AT_ONCE = 4_096  # slots whose quantiles are taken together
ROWS_AT_ONCE = 65_536  # counted together


class Frozen(msgspec.Struct):
    """All that is known."""

    era: int
    held: Spelled
    gathered: Spelled
    force: list[Limit]


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
        self._begin()
        self.force: dict[Key, Limit] = {}
        self.era = -1

    def _begin(self) -> None:
        self.held, self.gathered = Counts(BINS, wider), Gathered(BINS)
        self._met: dict[Key, Limit | None] = {}  # by pair, what is in force for it
        # What was found of each slot when its counts last changed, and what was last told of it.
        self._inside = np.zeros(16, np.int64)  # observations within the fence
        self._low = np.zeros((16, len(SHARES)))  # log2 seconds
        self._said = np.zeros((16, 7 + len(SHARES)), np.int64)
        self._limits: list[Limit | None] = []
        self._order: list[int] = []  # slots by key

    def score(self, rows: Rows) -> Scores:
        """Known where a limit is in force for such a row; bits where it was faster than that."""
        limit = np.full(len(rows), NOT_GIVEN)
        bits = np.zeros(len(rows), np.int64)
        found: list[Limit | None] = []
        which = np.full(len(rows), -1)
        if self.force and len(rows):
            keys, mine = self._pairs(rows)
            found = [self._in_force(key) for key in keys]
            values = [NOT_GIVEN if one is None else one.value * SECOND for one in found]
            there = np.array([one is not None for one in found])
            limit, which = np.array(values)[mine], np.where(there[mine], mine, -1)
        gap = rows["gap"]
        known = (which >= 0) & (gap > 0) & ~rows["apart"]
        for n in np.flatnonzero(known & (gap < limit)).tolist():
            one = found[int(which[n])]
            assert one is not None
            bits[n] = self._bits(one.key, int(gap[n]))
        limits = np.where(known, limit, 0)
        return Scores(known, bits, limits, lambda n: self._tell(found[int(which[n])], int(gap[n])))

    def _pairs(self, rows: Rows) -> tuple[list[Key], np.ndarray]:
        """The kinds and pairs that occur, and of each row which of them it is."""
        codes = np.zeros(len(rows), np.int64)
        for name in ("kind", *PAIR):
            column = rows[name]
            codes = codes * (int(column.max()) + 2) + column + 1
        met, inverse = np.unique(codes, return_inverse=True)
        one = np.empty(len(met), np.int64)  # a row of each; which of them is all the same
        one[inverse] = np.arange(len(codes))
        texts = [rows.texts(name, rows[name][one]) for name in ("kind", *PAIR)]
        return list(zip(*texts, strict=True)), inverse

    def _in_force(self, pair: Key) -> Limit | None:
        if pair not in self._met:
            key: Key | None = pair
            while key is not None and key not in self.force:
                key = wider(key)
            self._met[pair] = None if key is None else self.force[key]
        return self._met[pair]

    def _up_to(self, key: Key, gap: int) -> tuple[int, int]:
        """How many gaps were counted that are as short, and how many altogether."""
        slot = self.held.slots.get(key)
        if slot is None:
            return 0, 0
        counts = self.held.bins[slot]
        within = int(np.searchsorted(EDGES, gap, side="right"))
        return int(counts[: within + 1].sum()), int(counts.sum())

    def _bits(self, key: Key, gap: int) -> int:
        as_fast, every = self._up_to(key, gap)
        return round(-BIT * float(np.log2((as_fast + 0.5) / (every + 1))))

    def _tell(self, limit: Limit | None, gap: int) -> dict[str, Any]:
        assert limit is not None
        return {
            "least_s": limit.value,
            "cases": limit.n,
            "people": limit.people,
            "pooled": limit.pooled,
            "since_day": limit.since,
            "until_day": limit.until,
            "ordinary": limit.ordinary,
            "as_fast": self._up_to(limit.key, gap)[0],
            "typical_s": limit.ordinary[1][0],
            "slow_s": limit.ordinary[2][0],
        }

    def learn(self, rows: Rows) -> None:
        """Count the gaps that tell of somebody's pace."""
        tells = np.flatnonzero((rows["gap"] > 0) & ~rows["apart"] & (rows["operator"] >= 0))
        for begin in range(0, len(tells), ROWS_AT_ONCE):
            self._count(rows.take(tells[begin : begin + ROWS_AT_ONCE]))

    def _count(self, rows: Rows) -> None:
        keys, mine = self._pairs(rows)
        slots = np.array([self.gathered.slot(key) for key in keys])[mine]
        self.gathered.count(slots, np.searchsorted(EDGES, rows["gap"], side="right"))
        who, person = np.unique(rows["operator"], return_inverse=True)
        hashes = np.array([text_hash(name) for name in rows.texts("operator", who)], np.uint64)
        met = np.unique(slots * len(who) + person)
        self.gathered.meet(met // len(who), hashes[met % len(who)])

    def watch(self) -> list[tuple[str, str, int]]:
        """Of each item the middle of the day's gaps, and what one in ten falls below: there it shows
        when a single person quickens. In hundredths of an octave."""
        items = sorted({wider(key) or COUNTY for key in self.gathered.slots})
        places = {key: n for n, key in enumerate(items)}
        item = np.array([places[wider(key) or COUNTY] for key in self.gathered.slots], np.int64)
        day = np.zeros((len(items), BINS), np.int64)
        slots, bins, counts = self.gathered.all()
        np.add.at(day, (item[slots], bins), counts)
        sums = day.cumsum(axis=1)
        told = []
        for at in np.flatnonzero(sums[:, -1] >= self.params["watch_least"]).tolist():
            n = int(sums[at, -1])
            for what, rank in (("middle", (n + 1) // 2), ("fast", (n + 9) // 10)):
                there = int(np.searchsorted(sums[at], rank))
                told.append((items[at][1], what, there * 100 // OCTAVE))
        return told

    def published(self) -> bytes:
        """The limits in force, and the counts that bits are taken from."""
        force = [self.force[key] for key in sorted(self.force)]
        return msgspec.json.encode([force, int(self.held.bins.sum())])

    def publish(self, day: int) -> list[Limit]:
        """Every key's limit, as far as enough people worked there often enough."""
        touched = self.held.add(self.gathered, day - 1)
        self.gathered = Gathered(BINS)
        era = day // self.params["half_days"]
        if self.era >= 0 and era > self.era:
            self.held.bins >>= np.uint32(min(era - self.era, 31))
            touched = np.arange(len(self.held))
        self.era = era
        return self._proposed(touched)

    def _proposed(self, touched: np.ndarray) -> list[Limit]:
        """All limits by key. Only what was touched is taken anew from its counts, and only what
        became another is told anew."""
        many, held = len(self.held), self.held
        self._inside, self._low = grown(self._inside, many, 0), grown(self._low, many, 0)
        for begin in range(0, len(touched), AT_ONCE):
            some = touched[begin : begin + AT_ONCE]
            self._inside[some], self._low[some] = _measured(held.bins[some])
        n, people = self._inside[:many], held.crowd.sizes(many)
        known = (n >= self.params["cases_least"]) & (people >= self.params["people_least"])
        value, weight = self._leaning(n, known)
        pooled = (n < LEANS * weight) | np.array([ANY in key for key in held.keys], bool)
        says = np.stack([
            known, np.maximum(np.floor(np.exp2(value)), 1), n, people, pooled,
            held.since[:many], held.until[:many], *np.rint(np.exp2(self._low[:many])).T,
        ], axis=1).astype(np.int64)  # fmt: skip
        self._said = grown(self._said, many, 0)
        self._limits += [None] * (many - len(self._limits))
        for slot in np.flatnonzero((says != self._said[:many]).any(axis=1)).tolist():
            self._limits[slot] = _limit(held.keys[slot], *says[slot].tolist())
        self._said[:many] = says
        if len(self._order) < many:
            self._order = sorted(range(many), key=held.keys.__getitem__)
        limits = self._limits
        return [one for slot in self._order if (one := limits[slot]) is not None]

    def _leaning(self, n: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of each slot the log2 of its limit, leaning on the group above it, and how much the group
        weighs. The widest come first, since the narrower lean on them."""
        above = self.held.above[: len(n)]
        leans = (above >= 0) & known[above]
        value, weight = self._low[: len(n), 0].copy(), np.where(leans, self.params["lean"], 0)
        level = np.flatnonzero(above < 0)
        while len(level):
            level = np.flatnonzero(np.isin(above, level))
            some = level[leans[level]]
            w, many = weight[some], n[some]
            value[some] = (many * value[some] + w * value[above[some]]) / (many + w)
        return value, weight

    def enforce(self, limits: Sequence[Limit]) -> None:
        """These are in force, and no others."""
        self.force, self._met = {one.key: one for one in limits}, {}

    def freeze(self) -> bytes:
        """All counts by key, and what is in force."""
        force = [self.force[key] for key in sorted(self.force)]
        told = Frozen(self.era, self.held.spell(), self.gathered.spell(), force)
        return msgspec.msgpack.encode(told)

    def thaw(self, data: bytes) -> None:
        """Know what was frozen."""
        told = msgspec.msgpack.decode(data, type=Frozen)
        self._begin()
        self.era = told.era
        self.held.read(told.held)
        self.gathered.read(told.gathered)
        self._proposed(np.arange(len(self.held)))
        self.enforce(told.force)

    def bytes_used(self) -> int:
        """Counts of both, what was said, and the limits in force."""
        arrays = (self._inside, self._low, self._said)
        mine = sum(a.nbytes for a in arrays) + 800 * len(self._limits) + 300 * len(self.force)
        return self.held.bytes_used() + self.gathered.bytes_used() + mine


def _measured(bins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each row of counts: how many lie within the fence, and log2 of the seconds that so many of
    those (`SHARES`) stay below."""
    sums, none = bins.cumsum(axis=1, dtype=np.int64), np.zeros(len(bins), np.int64)
    first, third = _quantile(sums, none, 250), _quantile(sums, none, 750)
    fence = np.floor((first - FENCE * (third - first)) * OCTAVE).astype(np.int64) + 1
    beyond = np.where(fence > 0, sums[np.arange(len(bins)), (fence - 1).clip(0)], 0)
    low = np.stack([_quantile(sums, beyond, share) for share in SHARES], axis=1)
    return sums[:, -1] - beyond, low


def _quantile(sums: np.ndarray, beyond: np.ndarray, permille: int) -> np.ndarray:
    """log2 of the seconds that this share of each row's observations stay below, the first `beyond`
    of them left out; within a bin they are taken to lie evenly on the logarithmic scale. `sums`:
    counts up to each bin."""
    rank = beyond + (sums[:, -1] - beyond) * permille / 1000
    rows, at = np.arange(len(sums)), np.zeros(len(sums), np.int64)
    for step in (1 << n for n in reversed(range(BINS.bit_length()))):  # the first bin above it
        far = (at + step).clip(0, BINS)
        at = np.where(sums[rows, far - 1] <= rank, far, at)
    at = at.clip(0, BINS - 1)
    before = np.maximum(np.where(at > 0, sums[rows, at - 1], 0), beyond)
    inside = (rank - before) / np.maximum(sums[rows, at] - before, 1)
    return np.asarray((at - 1 + inside.clip(0, 1)) / OCTAVE)


def _limit(
    key: Key, known: int, value: int, n: int, people: int, pooled: int, since: int, until: int,
    *ordinary: int,
) -> Limit | None:  # fmt: skip
    if not known:
        return None
    usual = tuple(zip(ordinary, [share * n // 1000 for share in SHARES], strict=True))
    return Limit(
        key=key, value=value, n=n, people=people, pooled=ANY if pooled else "", since=since,
        until=until, ordinary=usual,
    )  # fmt: skip


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
        Param("lean", 5, "cases", "so many observations the wider group weighs", 0, 10_000),
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
