"""The catalogue as columns: what an item is, where a step stands in its flow, which duty it is."""

from __future__ import annotations

import numpy as np

from detector.catalogue import Catalogue, Item
from detector.columns import NO_CODE, Inputs, Vocabulary, Words
from detector.values import ABSENT

STATUS = {"in_use": 0, "dormant": 2, "abolished": 3}  # 1: not listed at all
AFTERWARDS = ("pay", "issue", "deliver", "close")  # steps that come after a decision


def _places(item: Item, name: str) -> dict[str, int]:
    """What the steps of an item need, each once, and its bit."""
    named = dict.fromkeys(one for step in item.steps for one in getattr(step, name))
    return {one: bit for bit, one in enumerate(named)}


class Flows:
    """A catalogue compiled against the vocabularies of a stream."""

    def __init__(self, catalogue: Catalogue, words: Words) -> None:
        items = list(catalogue.items.values())
        codes = words.item.encode([i.code for i in items])
        size = int(codes.max(initial=-1)) + 2  # the last row stands for every unlisted item
        self.duties = Vocabulary()
        self._items = dict(zip(codes.tolist(), items, strict=True))
        self._needs = {c: (_places(i, "documents"), _places(i, "fields")) for c, i in
                       self._items.items()}  # fmt: skip
        self._needy = np.zeros((size, 2), bool)  # does some step need documents, fields
        self._filed: dict[tuple[int, int], tuple[int, int]] = {}
        self._status = np.ones(size, np.int64)  # as STATUSES below; 1 unlisted
        self._issues, self._penalty = np.zeros((2, size), bool)
        self._required = np.zeros((size, 2), np.int64)  # all steps; those that a decision waits for
        self._late = np.zeros(size, np.int64)
        self._steps = words.step
        self._first, self._steps_of = np.zeros((2, size), np.int64)  # entry of the first; how many
        self._size = size
        self._listed = np.zeros(size, bool)
        self._on_the_spot = np.zeros(size, bool)
        self._numbers = {
            name: np.full(size, ABSENT, np.int64)
            for name in ("fee_fen", "promised_days", "statutory_days")
        }
        most = max([1, *(len(i.incompatible) for i in items)])
        for item, code in zip(items, codes.tolist(), strict=True):
            self._listed[code] = True
            self._on_the_spot[code] = item.kind == "on_the_spot"
            self._status[code] = STATUS[item.status]
            self._penalty[code] = item.type == "02"
            self._issues[code] = any(s.code == "issue" for s in item.steps)
            self._needy[code] = [bool(needs) for needs in self._needs[code]]
            for name, column in self._numbers.items():
                value = getattr(item, name)
                column[code] = ABSENT if value is None else value
        steps = [words.step.code(s.code) for i in items for s in i.steps]
        self._width = max(steps, default=-1) + 2  # the last column stands for every other step
        self._entry = np.zeros(size * self._width, np.int32)  # 0: the step is in no flow
        entries = len(steps) + 1
        self.place = np.full(entries, -1, np.int16)  # where a step stands in its item's flow
        self.duty = np.full(entries, NO_CODE, np.int32)
        self.partners = np.full((entries, most), NO_CODE, np.int32)  # duties of other people
        self.next_limit = np.full(entries, ABSENT, np.int64)  # µs of work that the step after has
        self.next_step = np.full(entries, NO_CODE, np.int32)
        zeros = (np.zeros(entries, np.int64) for _ in range(5))
        # bits: of the step among its item's required ones, of those before it and behind it …
        self.required, self.ahead, self.behind, *rest = zeros
        self.needs_documents, self.needs_fields = rest  # … of what it needs
        entry = 0
        for item, code in zip(items, codes.tolist(), strict=True):
            pairs = [tuple(self.duties.encode(pair).tolist()) for pair in item.incompatible]
            self._require(item, code, entry + 1)
            for place, step in enumerate(item.steps):
                entry += 1
                self._entry[code * self._width + words.step.code(step.code)] = entry
                duty = self.duties.code(step.duty)
                self.place[entry], self.duty[entry] = place, duty
                for n, (one, other) in enumerate(pairs if duty != NO_CODE else ()):
                    if duty in (one, other):
                        self.partners[entry, n] = one if duty == other else other
        self.paired = (self.partners != NO_CODE).any(axis=1)

    def _require(self, item: Item, code: int, first: int) -> None:
        """Bits of what an item requires; its steps' entries begin at `first`."""
        bits = [0] * len(item.steps)
        for number, place in enumerate(n for n, s in enumerate(item.steps) if s.required):
            bits[place] = 1 << number
        waited = [b for b, s in zip(bits, item.steps, strict=True) if s.code not in AFTERWARDS]
        self._required[code] = sum(bits), sum(waited)
        late = [b for b, s in zip(bits, item.steps, strict=True) if s.code in ("issue", "deliver")]
        self._late[code] = sum(late)
        self._first[code], self._steps_of[code] = first, len(bits)
        documents, fields = self._needs[code]
        for place, step in enumerate(item.steps):
            entry = first + place
            self.required[entry] = bits[place]
            self.ahead[entry], self.behind[entry] = sum(bits[:place]), sum(bits[place + 1 :])
            self.needs_documents[entry] = sum(1 << documents[d] for d in set(step.documents))
            self.needs_fields[entry] = sum(1 << fields[f] for f in set(step.fields))
            if place + 1 < len(item.steps):
                after = item.steps[place + 1]
                self.next_limit[entry] = ABSENT if after.limit_us is None else after.limit_us
                self.next_step[entry] = self._steps.code(after.code)

    def filed(self, inputs: Inputs) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Bits of the documents and fields that each event names and its item needs at some step;
        None where there are none."""
        rows = np.flatnonzero((inputs.told >= 0) & self._needy[self.row(inputs.item)].any(axis=1))
        if not len(rows):
            return None, None
        if len(inputs) == 1:  # as it mostly is where somebody waits: nothing to sort
            only = self._bits(int(inputs.item[0]), int(inputs.told[0]), inputs)
            return np.array(only[:1]), np.array(only[1:])
        documents, fields = np.zeros((2, len(inputs)), np.int64)
        keys = inputs.item[rows].astype(np.int64) << 32 | inputs.told[rows]
        distinct, inverse = np.unique(keys, return_inverse=True)
        bits = [self._bits(int(k) >> 32, int(k) & 0xFFFFFFFF, inputs) for k in distinct.tolist()]
        documents[rows], fields[rows] = np.array(bits, np.int64)[inverse].T
        return documents, fields

    def _bits(self, item: int, told: int, inputs: Inputs) -> tuple[int, int]:
        known = self._filed.get((item, told))
        if known is None:
            said = inputs.words.told.of(told)
            needs = self._needs[item]
            lists = (said.documents, said.fields)
            bits = [
                sum(1 << need[name] for name in names if name in need)
                for need, names in zip(needs, lists, strict=True)
            ]
            known = self._filed[item, told] = (bits[0], bits[1])
        return known

    def needs_any(self, kind: int, item: np.ndarray) -> np.ndarray:
        """Does some step of the item need documents (0) or fields (1)."""
        return self._needy[self.row(item), kind]

    def needed(self, kind: int, item: int, bits: int) -> tuple[str, ...]:
        """The documents (0) or fields (1) of an item that these bits name."""
        return tuple(name for name, bit in self._needs[item][kind].items() if bits >> bit & 1)

    def required_steps(self, item: int, bits: int) -> tuple[str, ...]:
        """The required steps of an item that these bits name."""
        steps = [s.code for s in self._items[item].steps if s.required]
        return tuple(code for number, code in enumerate(steps) if bits >> number & 1)

    def bits_of(self, item: int) -> tuple[list[str], list[str], list[str]]:
        """What the bits of an item stand for, from the lowest: required steps, documents, fields;
        nothing for an unlisted one."""
        if item not in self._items:
            return [], [], []
        documents, fields = (list(names) for names in self._needs[item])
        return [s.code for s in self._items[item].steps if s.required], documents, fields

    def items(self) -> list[int]:
        """The codes of the catalogue's items."""
        return list(self._items)

    def entries_in(self, other: Flows) -> np.ndarray:
        """The entry in another catalogue's flows of each entry of these, 0 where it has none."""
        there = np.zeros(len(self.place), np.int64)
        known = np.flatnonzero(self._entry)
        item, step = known // self._width, known % self._width
        there[self._entry[known]] = other.entry(item.astype(np.int32), step.astype(np.int32))
        return there

    def entries_at(self, item: np.ndarray, place: np.ndarray) -> np.ndarray:
        """The entry that stands at a place of each item's flow, 0 where none does."""
        row = self.row(item)
        there = (place >= 0) & (place < self._steps_of[row])
        return np.where(there, self._first[row] + place, 0)

    def all_required(self, item: np.ndarray) -> np.ndarray:
        """Bits of every required step of each item, 0 of an unlisted one."""
        return self._required[self.row(item), 0]

    def waited_for(self, item: np.ndarray) -> np.ndarray:
        """Bits of the required steps but those that come after a decision."""
        return self._required[self.row(item), 1]

    def issued_bits(self, item: np.ndarray) -> np.ndarray:
        """Bits of the required steps `issue` and `deliver`, which may come after a close."""
        return self._late[self.row(item)]

    def behind_place(self, item: np.ndarray, place: np.ndarray) -> np.ndarray:
        """Bits of the required steps behind a place of each item's flow: all of them at -1."""
        first, steps = self._first[self.row(item)], self._steps_of[self.row(item)]
        entry = first + np.minimum(np.maximum(place, 0), np.maximum(steps - 1, 0))
        bits = np.where(place >= steps, 0, self.behind[entry])
        return np.asarray(np.where(place < 0, self.all_required(item), bits))

    def status(self, item: np.ndarray) -> np.ndarray:
        """0 in use, 1 unlisted, 2 dormant, 3 abolished."""
        return self._status[self.row(item)]

    def issues(self, item: np.ndarray) -> np.ndarray:
        """Does the item's flow have a step `issue`: a licence is made out."""
        return self._issues[self.row(item)]

    def penalty(self, item: np.ndarray) -> np.ndarray:
        """Is it an administrative penalty (处罚)."""
        return self._penalty[self.row(item)]

    def item(self, code: int) -> Item | None:
        """The catalogue's item behind a code."""
        return self._items.get(code)

    def row(self, item: np.ndarray) -> np.ndarray:
        """Index of each item code into the columns below."""
        return np.minimum(item.astype(np.uint32), self._size - 1)

    def entry(self, item: np.ndarray, step: np.ndarray) -> np.ndarray:
        """Index of each step in its item's flow into `place`, `duty`, `partners` and `paired`."""
        column = np.minimum(step.astype(np.uint32), self._width - 1)
        return self._entry[self.row(item).astype(np.int64) * self._width + column]

    def listed(self, item: np.ndarray) -> np.ndarray:
        """Is the item in the catalogue."""
        return self._listed[self.row(item)]

    def on_the_spot(self, item: np.ndarray) -> np.ndarray:
        """Is it an on-the-spot item (即办件)."""
        return self._on_the_spot[self.row(item)]

    def number(self, name: str, item: np.ndarray) -> np.ndarray:
        """`fee_fen`, `promised_days` or `statutory_days`; `ABSENT` where the catalogue has none."""
        return self._numbers[name][self.row(item)]
