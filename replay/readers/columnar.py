"""Slices of a Parquet file → columns of ours, whole columns at a time.

Each recipe of a mapping makes one event of every row that it concerns; which of these rows are not
surely accepted is told with them, and the reader has them judged one by one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from detector.columns import (
    AMOUNTS,
    CARRIED,
    CHANNEL,
    INSTANTS,
    NO_CODE,
    SOURCE,
    Inputs,
    content_hash,
    extras_hash,
)
from detector.decode import Decoder
from detector.event import ACTION, LIST_ITEMS_MAX, PROCEDURES
from detector.particulars import said
from detector.values import ABSENT, DAY_US
from replay.mapping import Mapping, Recipe
from replay.readers.lookups import (
    UNSURE,
    Amounts,
    Days,
    Flags,
    Lookup,
    Meaning,
    as_texts,
    ids,
    instants,
    present,
)
from replay.readers.rows import Privacy

_REQUIRED = ("case_id", "item", "department")
_SAID = ("grade", "party_kind", "result")  # codes that are told with the texts and lists
_CODED = (*_REQUIRED, "step", "operator", "procedure", *CARRIED, *_SAID[:2])
# Rows that give one of these are read one by one where its words have others in `[values]`.
_SELDOM = ("supersedes", "factors", "fine", "offence_at")
_TEXTS = ("reason", "title", "relief_reason")
_LISTS = ("documents", "fields", "factors")
_TEXT_CHARS_SURE = 1_000  # longer ones may make a line that is too long
_LIST_CHARS_SURE = 2_500
_EXTRAS_KEPT = 100_000
_ARRAY = {"case_id": "case"}  # names of ours that columns know otherwise
Given = dict[str, pl.Series]


class Columns:
    """Makes the columns of one recipe; what it has learnt of texts serves slice after slice."""

    def __init__(
        self, decoder: Decoder, mapping: Mapping, recipe: Recipe, privacy: Privacy
    ) -> None:
        self.decoder = decoder
        self.columns = {n: c for n, c in recipe.columns.items() if not privacy[c]}
        self.constants = {
            n: pl.Series([";".join(v) if isinstance(v, list) else v])
            for n, v in recipe.constants.items()
            if not privacy.forbids(n)
        }
        self._values = mapping.values
        self._by_step = "action" not in recipe.columns and "action" not in recipe.constants
        self._lookups: dict[str, Lookup] = {
            n: Lookup(self._code_of(n), NO_CODE, np.int32) for n in _CODED
        }
        default = ACTION["step"] if self._by_step else UNSURE
        self._lookups["action"] = Lookup(self._actions, default, np.int8)
        self._lookups["kind"] = Lookup(lambda ws: [0 if w == "case" else UNSURE for w in ws], 0)
        self._lookups |= {n: Amounts() if n.startswith("fee") else Days() for n in AMOUNTS}
        self._lookups["fine"] = Amounts()
        self._lookups["imported"] = Flags()
        self._extras: dict[tuple[Any, ...], tuple[int, int]] = {}  # → hash and code of what is told

    def read(self, frame: pl.DataFrame, positions: np.ndarray) -> tuple[Inputs, np.ndarray]:
        """The rows' events, and a mask of those that are to be read one by one instead."""
        rows, unsure = frame.height, np.zeros(frame.height, bool)
        given = {name: frame[column] for name, column in self.columns.items()}
        given |= {name: one.new_from_index(0, rows) for name, one in self.constants.items()}
        if self._by_step and "step" in given:
            given["action"] = given["step"]
        numbers = {}
        for name, lookup in self._lookups.items():
            numbers[name] = lookup.nothing(rows)
            if name in given:
                numbers[name], odd = lookup.of(given[name])
                unsure |= odd
        for name in _REQUIRED:
            unsure |= numbers[name] < 0
        if not self._by_step and "action" not in given:
            unsure |= True
        for name in _SELDOM:
            if name in self.columns and name in self._values:
                unsure |= present(given[name])
        carried = [numbers.pop(name) for name in CARRIED]
        numbers |= {"source": carried[SOURCE], "channel": carried[CHANNEL]}
        codes = [*(numbers.pop(name) for name in _SAID[:2]), carried[CARRIED.index("result")]]
        column: dict[str, Any] = {_ARRAY.get(n, n): values for n, values in numbers.items()}
        del column["kind"]
        column["step"] = np.where(column["step"] < 0, column["action"], column["step"])
        column["imported"] = column["imported"].astype(bool)
        for name in ("event_id", "supersedes"):
            column[name] = np.zeros(rows, "S1")
            if name in given:
                column[name], odd = ids(given[name])
                unsure |= odd
        self._times(given, column, unsure)
        self._told(given, codes, column, unsure)
        words, unknown = self.decoder.words, self.decoder.unknown
        column["content"] = content_hash(words, column, carried, column.pop("extras"))
        return Inputs(words, position=positions, unknown=unknown, **column), unsure

    def _code_of(self, name: str) -> Meaning:
        """What texts of this column are in the vocabulary that it belongs to."""
        vocabulary = getattr(self.decoder.words, _ARRAY.get(name, name), self.decoder.words.other)
        ours = self._values.get(name, {}) if name in self.columns else {}

        def meaning(words: list[str]) -> np.ndarray:
            words = [ours.get(word, word) for word in words] if ours else words
            codes = vocabulary.encode(words)
            if name == "procedure":
                codes[[bool(word) and word not in PROCEDURES for word in words]] = UNSURE
            return codes

        return meaning

    def _actions(self, words: list[str]) -> list[int]:
        if "action" not in self.constants:
            ours = self._values.get("action", {})
            words = [ours.get(word, "step" if self._by_step else word) for word in words]
        return [ACTION.get(word, UNSURE) for word in words]

    def _times(self, given: Given, column: dict[str, Any], unsure: np.ndarray) -> None:
        """The instants; rows without their times or far after the clock are unsure."""
        how, read = self.decoder.how, dict[str, np.ndarray]()
        for name in (*INSTANTS, "offence_at"):
            source = self.columns.get(name, f"={name}")
            if name not in given:
                column[name] = np.full(len(unsure), ABSENT, np.int64)
                continue
            if source not in read:
                read[source], odd = instants(given[name], how.zone)
                unsure |= odd
            column[name] = read[source]
        occurred, recorded = column["occurred_at"], column["recorded_at"]
        received = column["received_at"]
        column["received_at"] = received = np.where(received == ABSENT, recorded, received)
        unsure |= (occurred == ABSENT) | (recorded == ABSENT)
        latest = received + how.clock_jump_days_max * DAY_US
        unsure |= (occurred > latest) | (recorded > latest)

    def _told(
        self, given: Given, codes: list[np.ndarray], column: dict[str, Any], unsure: np.ndarray
    ) -> None:
        """What a row says in texts and lists: its hash, its code, and whether it gives a relief
        reason. Rows that say the same are read once. `codes`: those of `_SAID`."""
        out, relief = np.zeros(len(unsure), np.uint64), np.zeros(len(unsure), bool)
        told = np.full(len(unsure), NO_CODE, np.int32)
        numbers = [*codes, column["fine"], column["offence_at"]]
        masks = [present(given[name]) for name in (*_TEXTS, *_LISTS) if name in given]
        masks += [one >= 0 for one in codes] + [one != ABSENT for one in numbers[3:]]
        rows = np.flatnonzero(np.logical_or.reduce([column["supersedes"] != b"", *masks]))
        column |= {"extras": out, "relief": relief, "told": told}
        if not len(rows):
            return
        which, first = _alike(given, numbers, rows)
        some = rows[first]
        parts = [_texts_of(given.get(name), some) for name in _TEXTS]
        parts += [_lists_of(given.get(name), some) for name in _LISTS]
        parts.append(column["supersedes"][some].tolist())
        parts += [one[some].tolist() for one in numbers]
        if len(self._extras) > _EXTRAS_KEPT:
            self._extras.clear()
        known, found = self._extras, []
        for one in zip(*parts, strict=True):
            if one not in known:
                known[one] = self._say(one)
            found.append(known[one])
        odd = np.array([value == UNSURE for value, _ in found])
        unsure[rows[odd[which]]] = True
        out[rows] = np.array([max(value, 0) for value, _ in found], np.uint64)[which]
        told[rows] = np.array([code for _, code in found], np.int32)[which]
        relief[rows] = np.array([bool(text) for text in parts[2]])[which]

    def _say(self, one: tuple[Any, ...]) -> tuple[int, int]:
        """Hash and code of one combination of texts, lists, codes and numbers."""
        if None in one:
            return UNSURE, NO_CODE
        reason, title, relief, documents, fields, factors, wrong, *codes, fine, offence_at = one
        words = self.decoder.words
        grade, party_kind, result = (words.other.words[c] if c >= 0 else None for c in codes)
        text = said(result, reason, grade, party_kind, documents, fields, factors)
        hashed = extras_hash(
            grade, party_kind, wrong.decode() or None, reason or None, title or None,
            relief or None, documents, fields, factors, fine, offence_at,
        )  # fmt: skip
        return hashed, int(words.told.encode([text])[0])


def _alike(
    given: Given, numbers: list[np.ndarray], rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Of some rows: which combination each says, and a row that says each of them."""
    columns: dict[str, Any] = {str(n): one[rows] for n, one in enumerate(numbers)}
    for name in (*_TEXTS, *_LISTS, "supersedes"):
        if name in given:
            part = given[name].gather(rows)
            texts = part if part.dtype == pl.List(pl.String) else as_texts(part)
            columns[name] = present(part) if texts is None else texts
    frame = pl.DataFrame(columns)
    groups = frame.with_row_index("row").group_by(frame.columns, maintain_order=True)
    members = groups.agg(pl.col("row"))["row"]
    which = np.empty(len(rows), np.int64)
    which[members.explode().to_numpy()] = np.repeat(
        np.arange(len(members)), members.list.len().to_numpy()
    )
    return which, members.list.first().to_numpy()


def _texts_of(series: pl.Series | None, rows: np.ndarray) -> list[Any]:
    """The texts of some rows, "" where there is none; None where it is not sure."""
    if series is None:
        return [""] * len(rows)
    part = series.gather(rows)
    texts = as_texts(part)
    if texts is None:
        return [None if given else "" for given in present(part)]
    return [
        None if text and len(text) > _TEXT_CHARS_SURE else text or "" for text in texts.to_list()
    ]


def _lists_of(series: pl.Series | None, rows: np.ndarray) -> list[Any]:
    """The lists of some rows as tuples; None where it is not sure."""
    if series is None:
        return [()] * len(rows)
    part = series.gather(rows)
    if part.dtype == pl.List(pl.String):
        lists = [() if one is None else tuple(one) for one in part.to_list()]
    elif part.dtype == pl.String:
        split = [(text or "").split(";") for text in part.to_list()]
        lists = [tuple(x.strip() for x in parts if x.strip()) for parts in split]
    else:
        return [None if given else () for given in present(part)]
    return [one if _is_sure(one) else None for one in lists]


def _is_sure(texts: tuple[str | None, ...]) -> bool:
    if len(texts) > LIST_ITEMS_MAX or None in texts:
        return False
    return sum(map(len, filter(None, texts))) <= _LIST_CHARS_SURE
