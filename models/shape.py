"""Unusual shape of a closed case: how long, how many, how much. 办结件形态

What    How rare a closed case's whole shape is among those of its item, in bits: total working time
        and longest pause, events, distinct steps and operators, returns, money paid, fine.
Basis   Half-space trees (Tan, Ting and Liu 2011), 25 of depth 8, written anew in whole columns with
        cuts from a fixed hash; river's take 4 s to import, 133 MB, and one case at a time.
Learns from
        Closed cases, in two windows of whole days: cases gather in the current one, and when it
        holds enough it becomes the one that others are compared with. An item with few cases leans
        on its kind of power, a kind on the county.
Blind   One ordinary case in 64 has 6 bits too: rare is not wrong. Times count on a scale of four
        steps an octave, told by the lower end of a step, and counts up to their cap. Gaps that nobody can know add nothing. What drifts
        slowly becomes ordinary. The order of steps says nothing here (`path` sees that).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from detector.counting.amounts import amount
from detector.counting.halfspaces import HalfSpaces
from detector.counting.packing import packed
from detector.counting.totals import totals
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

OCTAVE = 4  # steps an octave of times and money
TIMES = np.array([0, *(round(SECOND * 2 ** (n / OCTAVE)) for n in range(26 * OCTAVE))])
MONEY = np.array([0, *(round(100 * 2 ** (n / OCTAVE)) for n in range(32 * OCTAVE))])
# dimension → (Chinese, English, unit, largest value); times and money by their place on the scale
SHAPE: dict[str, tuple[str, str, str, int]] = {
    "work": ("总工作时长", "total working time", "s", len(TIMES)),
    "pause": ("最长停顿", "longest pause", "s", len(TIMES)),
    "events": ("记录数", "records", "", 64),
    "steps": ("环节数", "distinct steps", "", 32),
    "operators": ("经办人数", "operators", "", 16),
    "returns": ("退回次数", "returns", "", 8),
    "paid": ("缴费", "money paid", "fen", len(MONEY)),
    "fine": ("罚款", "fine", "fen", len(MONEY)),
}
NAMES, MOST = tuple(SHAPE), np.array([most for *_, most in SHAPE.values()])
BITS = [most.bit_length() for *_, most in SHAPE.values()]  # of a dimension; together below 63
VECTORS_MAX = 4_096  # distinct shapes of one window
TAIL = 50  # of 1,000 cases, on either side of the ordinary range
Key = tuple[str, str]

HALVES = HalfSpaces(MOST.tolist())


class Window:
    """Shapes of cases, each distinct one once, and how often it came."""

    def __init__(self) -> None:
        self.shapes, self.counts = np.zeros((0, len(NAMES)), np.int16), np.zeros(0, np.int64)
        self.around: np.ndarray | None = None  # of each leaf, made when it is first asked for
        self.ranges: list[list[int]] = []  # by dimension the ordinary range, made likewise

    @property
    def cases(self) -> int:
        """How many cases."""
        return int(self.counts.sum())

    def add(self, shapes: np.ndarray, counts: np.ndarray) -> None:
        """More cases; the rarest shapes go where there are too many."""
        every = np.concatenate([self.shapes, shapes])
        told, inverse = np.unique(packed(every, BITS), return_inverse=True)
        self.shapes = np.empty((len(told), len(NAMES)), np.int16)
        self.shapes[inverse] = every
        times = np.concatenate([self.counts, counts])
        self.counts = np.bincount(inverse, times).astype(np.int64)  # sums below 2**53 are exact
        if len(told) > VECTORS_MAX:
            kept = np.sort(np.argsort(-self.counts, kind="stable")[:VECTORS_MAX])
            self.shapes, self.counts = self.shapes[kept], self.counts[kept]
        self.around, self.ranges = None, []

    def crowd(self, leaves: np.ndarray) -> np.ndarray:
        """How crowded it is around each shape that falls to these leaves, over all trees."""
        if self.around is None:
            self._weigh()
        assert self.around is not None
        return np.asarray(self.around.take(leaves).sum(axis=1))

    def _weigh(self) -> None:
        leaves = HALVES.leaves(self.shapes)
        self.around = HALVES.around(leaves, self.counts)
        crowds = self.crowd(leaves)
        order = np.argsort(crowds, kind="stable")
        self.crowds, self.below = crowds[order], np.cumsum(self.counts[order])

    def bits(self, leaves: np.ndarray) -> np.ndarray:
        """Thousandths of a bit: how few of the cases stand as lonely as each that falls there."""
        crowd = self.crowd(leaves)
        place = np.searchsorted(self.crowds, crowd, side="right")
        k = np.concatenate([[0], self.below])[place]
        return np.rint(-BIT * np.log2((k + 0.5) / (self.cases + 1))).astype(np.int64)

    def ordinary(self, dimension: int) -> list[int]:
        """The lower end, the middle and the upper end of what is ordinary."""
        if not self.ranges:
            shares = TAIL, 500, 1000 - TAIL
            self.ranges = [self.quantiles(d, shares) for d in range(len(NAMES))]
        return self.ranges[dimension]

    def quantiles(self, dimension: int, permille: Sequence[int]) -> list[int]:
        """Values that so many of 1,000 cases do not exceed."""
        order = np.argsort(self.shapes[:, dimension], kind="stable")
        sums = np.cumsum(self.counts[order])
        places = [int(np.searchsorted(1000 * sums, p * sums[-1])) for p in permille]
        return [int(self.shapes[order[place], dimension]) for place in places]

    def freeze(self) -> tuple[bytes, bytes]:
        """Shapes and counts as little-endian bytes."""
        return self.shapes.astype("<i2").tobytes(), self.counts.astype("<i8").tobytes()

    def thaw(self, shapes: bytes, counts: bytes) -> None:
        """Hold what `freeze` gave."""
        self.shapes = np.frombuffer(shapes, "<i2").astype(np.int16).reshape(-1, len(NAMES))
        self.counts = np.frombuffer(counts, "<i8").astype(np.int64)
        self.around, self.ranges = None, []

    def bytes_used(self) -> int:
        """About so much memory."""
        held = self.shapes.nbytes + self.counts.nbytes
        if self.around is not None:
            held += self.around.nbytes + self.crowds.nbytes + self.below.nbytes
        return 400 + held


class Frozen(msgspec.Struct):
    """All that is known: windows by key (current, reference), and what was gathered."""

    windows: list[tuple[Key, tuple[bytes, bytes], tuple[bytes, bytes]]]
    gathered: list[tuple[Key, bytes, int]]


class Seen(NamedTuple):
    """Closed cases as they are counted."""

    shapes: np.ndarray
    keys: list[Key]
    which: np.ndarray  # of each case, its key; -1: it has no records


class Shape(Model):
    """Counts shapes by item, kind of power and county."""

    def __init__(self, params: Mapping[str, int]) -> None:
        super().__init__(params)
        self.current: dict[Key, Window] = {}
        self.reference: dict[Key, Window] = {}
        self.gathered: Counter[tuple[Key, bytes]] = Counter()
        self._latest: tuple[Rows, Seen] | None = None  # what is scored is learned next

    def score(self, rows: Rows) -> Scores:
        """Bits of closed cases. Known where the item, its kind or the county has enough of them."""
        seen = self._seen(rows)
        used = [self._used(key) for key in seen.keys]
        levels = [key for key in dict.fromkeys(used) if key is not None]
        place = np.array([*(levels.index(key) if key else -1 for key in used), -1])[seen.which]
        known, bits = place >= 0, np.zeros(rows.cases, np.int64)
        leaves, mine = HALVES.leaves(seen.shapes[known]), place[known]
        told = np.zeros(len(mine), np.int64)
        order = np.argsort(mine, kind="stable")
        ends = np.searchsorted(mine[order], np.arange(1, len(levels) + 1)).tolist()
        for key, begin, end in zip(levels, [0, *ends], ends, strict=False):
            some = order[begin:end]
            told[some] = self.reference[key].bits(leaves[some])
        bits[known] = told

        def tell(n: int) -> dict[str, Any]:
            if place[n] < 0:
                return {}
            key = levels[int(place[n])]
            return _told(key, self.reference[key], seen.shapes[n])

        return Scores(known, bits, np.zeros(rows.cases, np.int64), tell)

    def _seen(self, rows: Rows) -> Seen:
        if self._latest is None or self._latest[0] is not rows:
            self._latest = rows, Seen(_shapes(rows), *_keys(rows))
        return self._latest[1]

    def _used(self, key: Key) -> Key | None:
        for level in _levels(key):
            window = self.reference.get(level)
            if window is not None and window.cases >= self.params["cases_least"]:
                return level
        return None

    def learn(self, rows: Rows) -> None:
        """Gather shapes of closed cases."""
        (shapes, keys, which), self._latest = self._seen(rows), None
        told, size = shapes.astype("<i2").tobytes(), 2 * len(NAMES)
        self.gathered.update(
            (keys[at], told[n * size : (n + 1) * size])
            for n, at in enumerate(which.tolist())
            if at >= 0
        )

    def publish(self, day: int) -> list[Limit]:
        """What was gathered joins the current windows; a full one becomes the reference, and until
        a reference is full it takes all. There are no limits."""
        gathered: dict[Key, list[tuple[bytes, int]]] = {}
        for (key, shape), many in self.gathered.items():
            for level in _levels(key):
                gathered.setdefault(level, []).append((shape, many))
        self.gathered, self._latest = Counter(), None
        full = self.params["window_cases"]
        for key, told in sorted(gathered.items()):
            reference = self.reference.setdefault(key, Window())
            current = self.current.setdefault(key, Window())
            shapes = np.frombuffer(b"".join(s for s, _ in told), "<i2").reshape(-1, len(NAMES))
            window = reference if reference.cases < full else current
            window.add(shapes.astype(np.int16), np.array([many for _, many in told]))
            if current.cases >= full:
                self.reference[key], self.current[key] = current, Window()
        return []

    def freeze(self) -> bytes:
        """Windows by key, and what was gathered."""
        windows = [
            (key, self.current[key].freeze(), self.reference[key].freeze())
            for key in sorted(self.reference)
        ]
        gathered = [(key, shape, n) for (key, shape), n in sorted(self.gathered.items())]
        return msgspec.msgpack.encode(Frozen(windows, gathered))

    def thaw(self, data: bytes) -> None:
        """Know what was frozen."""
        told = msgspec.msgpack.decode(data, type=Frozen)
        self.current, self.reference = {}, {}
        for key, current, reference in told.windows:
            for held, frozen in ((self.current, current), (self.reference, reference)):
                held[key] = Window()
                held[key].thaw(*frozen)
        self.gathered = Counter({(key, shape): n for key, shape, n in told.gathered})
        self._latest = None

    def bytes_used(self) -> int:
        """Windows, their trees, and what was gathered."""
        held = [*self.current.values(), *self.reference.values()]
        return sum(300 + window.bytes_used() for window in held) + 300 * len(self.gathered)


def _levels(key: Key) -> list[Key]:
    """Where a case of this kind and item counts, the narrowest first."""
    kind, item = key
    wider = [(kind, "*")] if kind else []
    return ([(kind, item)] if item else []) + [*wider, ("*", "*")]


def _keys(rows: Rows) -> tuple[list[Key], np.ndarray]:
    """The kinds and items that occur, and of each case which of them it is; -1: no records."""
    which = np.full(rows.cases, -1)
    there = np.flatnonzero(np.diff(rows.begins) > 0)
    kind, item = (rows[name][rows.begins[there]].astype(np.int64) for name in ("kind", "item"))
    pairs, which[there] = np.unique((kind + 1) << 32 | (item + 1), return_inverse=True)
    codes = zip((pairs >> 32).tolist(), (pairs & 0xFFFFFFFF).tolist(), strict=True)
    return [(rows.text("kind", k - 1), rows.text("item", i - 1)) for k, i in codes], which


def _shapes(rows: Rows) -> np.ndarray:
    """Each case as whole numbers: a row a case, a column a dimension of `SHAPE`."""
    told = totals(rows)
    for scale, dimensions in ((TIMES, (0, 1)), (MONEY, (6, 7))):
        for d in dimensions:
            told[:, d] = np.searchsorted(scale, told[:, d], side="right") - 1
    return np.minimum(told, MOST)


def _told(key: Key, window: Window, shape: np.ndarray) -> dict[str, Any]:
    """The dimensions that lie outside what is ordinary, the farthest first, in words."""
    outside = []
    for d in range(len(NAMES)):
        low, middle, high = window.ordinary(d)
        if not low <= shape[d] <= high:
            values = window.shapes[:, d]
            beyond = values <= shape[d] if shape[d] < low else values >= shape[d]
            outside.append((int(window.counts[beyond].sum()), d, (low, middle, high)))
    unusual, zh, en = [], [], []
    for fewer, d, ordinary in sorted(outside):
        name_zh, name_en, unit, most = SHAPE[NAMES[d]]
        told = [_natural(d, v) for v in (int(shape[d]), *ordinary)]
        names = ("value", "low", "median", "high")
        numbers = dict(zip(names, told, strict=True))
        unusual.append({"what": NAMES[d], "unit": unit, **numbers, "as_far": fewer})
        more = ["+" if v >= most else "" for v in (int(shape[d]), *ordinary)]
        now, least, usual, top = (amount(v, unit, m) for v, m in zip(told, more, strict=True))
        to = [
            least[n] + (word + top[n]) * (least != top) for n, word in enumerate((" 至 ", " to "))
        ]
        zh.append(f"{name_zh}约 {now[0]}（通常 {to[0]}，中位 {usual[0]}）")
        en.append(f"{name_en} about {now[1]} (ordinarily {to[1]}, median {usual[1]})")
    level = "item" if key[1] != "*" else "kind" if key[0] != "*" else "county"
    return {
        "level": level,
        "cases": window.cases,
        "unusual": unusual,
        "why_zh": "；".join(zh) or "各项单看都寻常，合在一起少见",
        "why_en": "; ".join(en) or "ordinary one by one, rare together",
    }


def _natural(dimension: int, value: int) -> int:
    """Seconds, fen or a count, of a place on its scale."""
    unit = SHAPE[NAMES[dimension]][2]
    if unit == "s":
        return int(TIMES[min(value, len(TIMES) - 1)]) // SECOND
    return int(MONEY[min(value, len(MONEY) - 1)]) if unit == "fen" else value


def _cases(
    times: int, *, gap_s: int = 3_600, of: int = 4, **told: Any
) -> tuple[dict[str, Any], ...]:
    """Closed cases, each a little longer than the one before."""
    common = {"item": "permit", "kind": "01", "paid_fen": 2_500} | told
    return tuple(
        row(
            case=n,
            step=f"s{at}",
            operator=f"P{at}",
            gap=(gap_s + 60 * (n % 50)) * SECOND if at else NOT_GIVEN,
        )
        | common
        for n in range(times)
        for at in range(of)
    )


_DAYS = (_cases(150), _cases(150))

LEARNER = Learner(
    id="shape",
    edition=1,
    zh="办结件形态",
    en="shape of a closed case",
    basis="Half-space trees: Tan, Ting and Liu, Fast Anomaly Detection for Streaming Data, IJCAI 2011",
    sees="case",
    make=Shape,
    keys=("item",),
    params=(
        Param("cases_least", 200, "cases", "with fewer an item leans on its kind, a kind on the county", 20, 100_000),
        Param("window_cases", 1_000, "cases", "a window that holds so many becomes the reference", 200, 1_000_000),
    ),
    bytes_a_key=350_000,
    examples=(
        Example("an ordinary case", _DAYS, _cases(26), True, bits_most=3_000),
        Example("closed in four minutes where it takes three hours", _DAYS, _cases(1, gap_s=80), True, bits_least=7_000),
        Example("forty records where there are four", _DAYS, _cases(1, of=40), True, bits_least=7_000),
        Example("a hundred times the fee", _DAYS, _cases(1, paid_fen=250_000), True, bits_least=7_000),
        Example("another item leans on its kind of power", _DAYS, _cases(26, item="other"), True, bits_most=3_000),
        Example("another kind leans on the county", _DAYS, _cases(26, item="other", kind="02"), True, bits_most=3_000),
        Example("too few cases", (_cases(199),), _cases(1), False),
        Example("nothing but a case's name", _DAYS, (row(case="c"),), True, bits_least=7_000),
    ),
)  # fmt: skip
