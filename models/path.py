"""Unusual path of a case: order, repeats, what is missing, who does what. 办件路径

What    How surprising the most surprising thing about a case's path is, in bits: of two steps the
        order, a repeat, a predecessor that is missing; what follows what; and which person and
        which department works a step. Of a case that goes on only what its steps decide for good:
        an order of first occurrences, a first repeat, a missing predecessor, what follows what.
Basis   Ours, measured on public logs with labelled anomalies. Pairs of steps instead of neighbours,
        because threads that run in parallel interleave lawfully in many ways. Back-off after Witten
        and Bell (1991). A person is surprising only where no neighbouring step explains him.
Learns from
        Whole closed cases, their events in order of arrival, each power item by itself. Counts
        only; no stamp and no duration is ever looked at, so a falsified clock neither hides a case
        nor betrays one. What is gathered counts from the next day on.
Blind   A channel that is loud in ordinary cases (people who rotate, steps in any order) is mute,
        and what it alone would show stays unseen. A person whom no case has shown yet says nothing:
        who is new does not stray. Where more than one case in eight deviates the same way, that way
        is ordinary. A case that lawfully stops early looks like one whose last steps were skipped.
        While a case is open persons and departments are not looked at, for the next step may
        explain them, nor is anything beyond its 64th step: the close is.
        Of an item the 256 most frequent steps are told apart, 20,000 contexts and 100,000 counts
        are kept (the least counted go first); beyond 131,072 item-steps and 262,144 names there is
        no room for new ones.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from detector.counting.alike import Alike
from detector.counting.beginnings import bits_of, decided, deviates, followed, relation
from detector.counting.caselog import OTHER, CaseLog, Coded
from detector.counting.contexts import Contexts, surprises
from detector.counting.neighbours import Given, columns_of, thin_out
from detector.counting.processes import UNKNOWN, Held, Placed, Processes
from detector.counting.relations import FIRST, NEXT, START, WHO, Related, in_words
from detector.learnkit import BIT, Example, Learner, Limit, Model, Param, Rows, Scores, row

PERSON, PLACE = "operator", "department"
ATTRIBUTES = (PERSON, PLACE)
CHANNELS = ("pairs", "next", *ATTRIBUTES)
CASES_MAX = 65_536  # whose bits are remembered until the next day


class Frozen(msgspec.Struct):
    """All that is known."""

    names: list[str]
    settled: int
    items: list[Held]
    contexts: list[list[tuple[bytes, bytes]]]
    gathered: list[tuple[bytes, int]]
    loud: list[tuple[int, list[int]]]


class Path(Model):
    """Counts relations, successions and who does what, by item."""

    early = True

    def __init__(self, params: Mapping[str, int]) -> None:
        super().__init__(params)
        self.log = CaseLog(ATTRIBUTES)
        gate = params["gate_permille"], params["gate_cases"], params["closed_first"]
        self.processes = Processes((len(CHANNELS), *gate))
        self.contexts = [[Contexts() for _ in range(3)]]  # of `next`: item, step, two steps
        self.contexts += [[Contexts() for _ in range(6)] for _ in ATTRIBUTES]
        self.loud: dict[int, np.ndarray] = {}  # by item: cases gathered, loud ones by channel
        self._forget_bits()

    def _forget_bits(self) -> None:
        self.judged = Alike()  # cases that were judged by what counts, for they come twice
        self.bits = np.zeros((0, len(CHANNELS)), np.int64)  # of each

    # --- scores -------------------------------------------------------------------------------

    def score(self, rows: Rows) -> Scores:
        """Bits of whole cases: the loudest channel that may speak. Known where enough was counted."""
        coded = self.log.known(rows)
        placed = self.processes.place(coded)
        told = self._judged(coded, placed)
        return self._scores(rows, placed, told, _open(placed), 0)

    def _judged(self, coded: Coded, placed: Placed | None = None) -> np.ndarray:
        """What `_channels` tells of whole cases: each is scored at its close, and once more when
        its day is learned."""
        if len(self.judged) + len(coded.item) > CASES_MAX:
            self._forget_bits()
        case = self.judged.numbers(*coded.series())
        if len(self.judged) > len(self.bits):
            met, first = np.unique(case, return_index=True)
            new = first[met >= len(self.bits)]  # in order of their numbers
            placed = placed or self.processes.place(coded)
            bits = self._channels(placed if len(new) == len(case) else placed.only(new), 0)
            self.bits = np.concatenate([self.bits, bits])
        return self.bits[case]

    def score_open(self, rows: Rows) -> Scores:
        """Bits of beginnings of cases, each of what its last step decides: of pairs of steps and of
        what follows what. Persons and departments wait: the next step may explain them."""
        placed = self.processes.place(self.log.known(rows))
        known = self._counted(placed) & (np.diff(placed.begins) > 0)
        some = np.flatnonzero(known)
        bits, pairs = np.zeros((len(known), 2), np.int64), np.zeros((len(known), 3), np.int64)
        bits[some], pairs[some] = self._decided(placed.only(some))

        def tell(n: int) -> dict[str, Any]:
            mine = placed.one(n)
            pair = relation(pairs[n], mine.local)
            return self._tell(rows, n, mine, int(bits[n].argmax()), 0, (pair,))

        return Scores(known, bits.max(axis=1), np.zeros(len(bits), np.int64), tell)

    def _counted(self, placed: Placed) -> np.ndarray:
        """Of which cases the item is known well enough."""
        least = self.params["cases_least"]
        return placed.each(lambda item: item.cases >= least, False)

    def _decided(self, placed: Placed) -> tuple[np.ndarray, np.ndarray]:
        """Of beginnings, all of items that are known, the bits of the last step by channel, and
        the pairs of steps that `decided` tells."""
        bits = np.zeros((len(placed.which), 2), np.int64)
        pairs = np.zeros((len(bits), 3), np.int64)
        bits[:, 1] = followed(placed, self.contexts[0])
        for n, item in enumerate(placed.items):
            mine = np.flatnonzero(placed.which == n)
            if item and len(mine):
                pairs[mine] = decided(item.pairs, placed, mine)
        bits[:, 0] = bits_of(pairs)
        bits[~placed.each(lambda item: bool(item.gate.open[1]), False), 1] = 0
        return bits, pairs

    def score_without(self, rows: Rows) -> Scores:
        """Bits of cases that were counted, each by the counts of all others (leave one out); a
        channel speaks that is quiet over these cases. For replay."""
        placed = self.processes.place(self.log.known(rows))
        told, may = self._channels(placed, 1), _open(placed)
        for n, item in enumerate(placed.items):
            if item:
                mine = placed.which == n
                may[mine] = item.gate.quiet(self._loud(told[mine]))
        return self._scores(rows, placed, told, may, 1)

    def _scores(
        self, rows: Rows, placed: Placed, told: np.ndarray, may: np.ndarray, own: int
    ) -> Scores:
        told = np.where(may, told, -1)
        known = self._counted(placed)
        bits = told.max(axis=1, initial=0)
        best = told.argmax(axis=1)

        def tell(n: int) -> dict[str, Any]:
            return self._tell(rows, n, placed.one(n), int(best[n]), own)

        return Scores(known, bits, np.zeros(len(bits), np.int64), tell)

    def _channels(self, placed: Placed, own: int) -> np.ndarray:
        """Thousandths of a bit: a row a case, a column a channel, muted or not."""
        alike, first = placed.alike(ATTRIBUTES.index(PLACE))
        some = placed.only(first)  # in all but persons most cases are as others are
        told = np.zeros((len(first), len(CHANNELS)), np.int64)
        told[:, 0] = [
            0 if (item := some.items[n]) is None else item.bits(way, own)
            for n, way in zip(some.which.tolist(), some.ways(), strict=True)
        ]
        for c, what in enumerate(CHANNELS):
            if c and what != PERSON:
                self._loudest(told, some, c, own)
        told = told[alike]
        self._loudest(told, placed, CHANNELS.index(PERSON), own)
        return told

    def _loudest(self, told: np.ndarray, placed: Placed, channel: int, own: int) -> None:
        given = columns_of(placed, channel)
        np.maximum.at(
            told[:, channel], placed.case[given[0]], self._bits(placed, channel, given, own)
        )

    def _bits(self, placed: Placed, channel: int, given: Given, own: int) -> np.ndarray:
        """Bits of a channel by event that has a value."""
        asked, value, columns = given
        cases = placed.case[asked] if own else None
        held = self.contexts[channel - 1]
        bits = surprises(held, columns, value, cases)
        bits[placed.slot[asked] == UNKNOWN] = 0
        if CHANNELS[channel] == PERSON:
            bits[value == OTHER if cases is None else held[0].alone(value, cases)] = 0  # is new
        return np.rint(BIT * bits).astype(np.int64)

    def _loud(self, told: np.ndarray) -> np.ndarray:
        """How many cases, and how many of them are loud in each channel but the first."""
        loud = (told > self.params["gate_bits"]).sum(axis=0)
        loud[0] = len(told)
        return np.asarray(loud)

    # --- learning -----------------------------------------------------------------------------

    def learn(self, rows: Rows) -> None:
        """Gather whole cases, and how loud each channel is in them by what counts now."""
        coded = self.log.gather(rows)
        lasting = self.log.lasting(coded)
        told = self._judged(lasting)
        judged = np.isin(lasting.item, list(self.processes.items)) & (np.diff(coded.begins) > 0)
        for item in np.unique(coded.item[judged]).tolist():
            loud = self._loud(told[judged & (coded.item == item)])
            self.loud[item] = self.loud.get(item, 0) + loud

    def publish(self, day: int) -> list[Limit]:
        """Count what was gathered. It has no limits."""
        coded, times, lasting = self.log.turn()
        loud, self.loud = _renamed(self.loud, lasting), {}
        self._forget_bits()
        if len(times):
            self.processes.admit(coded, times)
            self._count(self.processes.place(coded), times)
        for name, told in loud.items():
            if name in self.processes.items:
                self.processes.items[name].gate.turn(told)
        return []

    def _count(self, placed: Placed, times: np.ndarray) -> None:
        ways: dict[tuple[int, bytes], int] = {}
        which = placed.which.tolist()
        for n, way, many in zip(which, placed.ways(), times.tolist(), strict=True):
            if (item := placed.items[n]) is not None:
                ways[item.name, way] = ways.get((item.name, way), 0) + many
        for (name, steps), many in ways.items():
            item = self.processes.items[name]
            item.cases += many
            item.memo.clear()
            item.pairs.grow(len(item.slots))
            item.pairs.add(np.frombuffer(steps, np.int64), many)
        for channel, held in enumerate(self.contexts, 1):
            asked, value, columns = columns_of(placed, channel)
            counted = placed.slot[asked] != UNKNOWN
            weights = times[placed.case[asked]][counted]
            for contexts, column in zip(held, columns, strict=True):
                contexts.add(column[counted], value[counted], weights)
        thin_out(
            [c for held in self.contexts for c in held],
            self.processes.owner,
            self.params["contexts_max"],
        )

    # --- memory -------------------------------------------------------------------------------

    def freeze(self) -> bytes:
        """Names, counts by item, contexts, and what was gathered."""
        texts, lasting, gathered = self.log.settle()
        contexts = [[c.freeze() for c in held] for held in self.contexts]
        loud = [(name, told.tolist()) for name, told in _renamed(self.loud, lasting).items()]
        return msgspec.msgpack.encode(
            Frozen(texts, self.log.settled, self.processes.freeze(), contexts, gathered, loud)
        )

    def thaw(self, data: bytes) -> None:
        """Know what was frozen."""
        told = msgspec.msgpack.decode(data, type=Frozen)
        self.log.thaw(told.names, told.settled, told.gathered)
        self.processes.thaw(told.items)
        for held, frozen in zip(self.contexts, told.contexts, strict=True):
            for contexts, (keys, counts) in zip(held, frozen, strict=True):
                contexts.thaw(keys, counts)
        self.loud = {name: np.array(cases, np.int64) for name, cases in told.loud}
        self._forget_bits()

    def bytes_used(self) -> int:
        """Counts, names, and the cases gathered."""
        contexts = sum(c.bytes_used() for held in self.contexts for c in held)
        judged = self.judged.bytes_used() + self.bits.nbytes
        return contexts + judged + self.processes.bytes_used() + self.log.bytes_used()

    # --- words --------------------------------------------------------------------------------

    def _tell(
        self, rows: Rows, case: int, placed: Placed, best: int, own: int,
        begun: tuple[Related | None] | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """The reasons of one case (`placed` alone), or of the last step of one that has only
        begun, and of what that decided."""
        item, steps = placed.items[placed.which[0]], placed.local
        told: dict[str, Any] = {"case_open": begun is not None}
        if item is None or not len(steps):
            return told
        given = np.arange(rows.begins[case], rows.begins[case + 1])
        given = given[rows["step"][given] >= 0]  # rows that name a step
        names = rows.texts("step", rows["step"][given])
        told |= {"channel": CHANNELS[best], "cases": item.cases}
        pair = begun[0] if begun else item.pairs.tell(steps, own) if best == 0 else None
        if pair is not None:
            texts = dict(zip(steps.tolist(), names, strict=True))
            if pair.other not in texts:  # the one that is missing
                number = list(item.places)[pair.other - FIRST]
                texts[pair.other] = next(t for t, n in self.log.names.items() if n == number)
            told["deviates"] = deviates(pair, steps, texts)
            if best == 0:
                return told | in_words(
                    pair.kind, texts[pair.step], texts[pair.other], pair.k, pair.n
                )
        if best == 0:
            return told
        asked, value, columns = shown = columns_of(placed, best)
        if not len(asked):
            return told
        at = len(asked) - 1 if begun else int(np.argmax(self._bits(placed, best, shown, own)))
        event, what = int(asked[at]), CHANNELS[best]
        held, depth = self.contexts[best - 1], 2 if best == 1 else 1
        found = [held[d].once(int(columns[d][at]), int(value[at])) for d in range(depth + 1)]
        while found[depth][0] <= own and depth > 1:  # these two steps were never seen so
            depth -= 1
        n, k = (max(0, c - own) for c in found[depth])
        before = " → ".join(names[max(0, event - depth) : event])
        if best == 1:
            told["deviates"] = {f"#{event}", *told.get("deviates", ())}
            return told | in_words(NEXT if event else START, names[event], before, k, n)
        whose = rows.text(what, int(rows[what][given[event]]))
        told |= {what: whose, "deviates": {f"{what} #{event}"}}
        return told | in_words(WHO, names[event], before, k, n, what)


def _open(placed: Placed) -> np.ndarray:
    """Which channels may speak in each case."""
    return placed.each(lambda item: item.gate.open, np.zeros(len(CHANNELS), bool))


def _renamed(loud: Mapping[int, np.ndarray], lasting: np.ndarray) -> dict[int, np.ndarray]:
    """By the lasting numbers of the items, in their order."""
    told: dict[int, np.ndarray] = {}
    for item, cases in loud.items():
        told[int(lasting[item])] = told.get(int(lasting[item]), 0) + cases
    return dict(sorted(told.items()))


_DESK = {"accept": "window", "survey": "field", "approve": "head", "issue": "window"}


def _cases(*steps: str, times: int = 1, by: int = 1, **told: Any) -> tuple[dict[str, Any], ...]:
    """Cases that go this way; each desk has its department, and people work wherever they are."""
    rows = []
    for n in range(times):
        case = f"{'-'.join(steps)} {n}"
        for at, s in enumerate(steps):
            who = f"P{n * by**at % 61}"
            one = row(item="permit", case=case, step=s, operator=who, department=_DESK[s])
            rows.append(one | told)
    return tuple(rows)


_WAY = ("accept", "survey", "approve", "issue")
_OTHER = ("accept", "approve", "survey", "issue")
_DAYS = tuple(_cases(*_WAY, times=210, by=by) + _cases(*_OTHER, times=14, by=by) for by in (2, 3))
_SWAPPED = tuple(
    r | {"department": "field"} if r["step"] == "approve" else r for r in _cases(*_WAY)
)

LEARNER = Learner(
    id="path",
    edition=2,
    zh="办件路径",
    en="path of a case",
    basis="Ours, measured on public logs with labelled anomalies; back-off after Witten and Bell (1991)",
    sees="case",
    make=Path,
    keys=("item",),
    params=(
        Param("cases_least", 32, "cases", "with fewer cases an item's paths are unknown (no relation could reach 6 bits)", 1, 100_000),
        Param("gate_bits", 4 * BIT, "1/1000 bit", "a channel is loud in a case above this", 1, 64 * BIT),
        Param("gate_permille", 120, "cases of 1,000", "a channel that is loud in more is mute", 0, 1_000),
        Param("gate_cases", 1_000, "cases", "the latest whole epochs that hold so many decide", 1, 100_000),
        Param("closed_first", 200, "cases", "a gated channel is mute before so many cases of the item", 0, 100_000),
        Param("contexts_max", 20_000, "contexts", "of an item; when there are more the least counted go", 10, 100_000),
    ),
    bytes_a_key=4_000_000,
    examples=(
        Example("the usual way", _DAYS, _cases(*_WAY), True, bits_most=1_000),
        Example("a second lawful way, seldom taken", _DAYS, _cases(*_OTHER), True, bits_most=5_000),
        Example("issued without approval", _DAYS, _cases("accept", "survey", "issue"), True, bits_least=9_000),
        Example("issued before it was approved", _DAYS, _cases("accept", "survey", "issue", "approve"), True, bits_least=9_000),
        Example("surveyed twice", _DAYS, _cases("accept", "survey", "survey", "approve", "issue"), True, bits_least=9_000),
        Example("approved by the surveyors", _DAYS, _SWAPPED, True, bits_least=8_000),
        Example("persons who rotate mute themselves: one who works every step says nothing", _DAYS, _cases(*_WAY, operator="P7"), True, bits_most=1_000),
        Example("too few cases", (_cases(*_WAY, times=31),), _cases("accept", "issue"), False),
        Example("another item is a process of its own", _DAYS, _cases("accept", "issue", item="other"), False),
        Example("a case without steps says nothing", _DAYS, (row(item="permit", case="c"),), False),
    ),
)  # fmt: skip
