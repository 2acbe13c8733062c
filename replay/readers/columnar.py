"""Slices of a Parquet file → columns of ours, whole columns at a time.

Each recipe of a mapping makes one event of every row that it concerns; which of these rows are not
surely accepted is told with them, and the reader has them judged one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from detector.columns import (
    AMOUNTS, CARRIED, EXTRAS, INSTANTS, NO_CODE, Inputs, content_hash, extras_hash,
)  # fmt: skip
from detector.decode import Decoder
from detector.event import ACTION, LIST_ITEMS_MAX, PROCEDURES
from detector.values import ABSENT, DAY_US
from replay.mapping import Mapping, Recipe
from replay.readers.lookups import UNSURE, Amounts, Days, Flags, Lookup, ids, instants, present
from replay.readers.rows import is_dropped

_CODED = ("case_id", "item", "department", "step", "operator")
_REQUIRED = frozenset(("case_id", "item", "department"))
# Lines that give one of these are read one by one, as they are in the decoder.
_SELDOM = ("grade", "party_kind", "supersedes", "factors", "fine", "offence_at")
_TOLD = ("reason", "title", "relief_reason")
_LISTED = ("documents", "fields")
_TEXT_CHARS_SURE = 1_000  # longer ones may make a line that is too long
_LIST_CHARS_SURE = 4_000
_KIND = {"case": 0}


class Columns:
    """Makes the columns of one recipe; what it has learnt of texts serves slice after slice."""

    def __init__(self, decoder: Decoder, mapping: Mapping, recipe: Recipe) -> None:
        self.decoder = decoder
        self.columns = {n: c for n, c in recipe.columns.items() if not is_dropped(n, decoder.drop)}
        self.constants = {
            n: pl.Series([";".join(v) if isinstance(v, list) else v])
            for n, v in recipe.constants.items()
            if not is_dropped(n, decoder.drop)
        }
        self._lookups: dict[str, Lookup] = {}
        self._actions = dict(mapping.values.get("action", {}))
        self._values = mapping.values
        self._by_step = "action" not in recipe.columns and "action" not in recipe.constants
        self._extras: dict[tuple[Any, ...], int] = {}

    def read(self, frame: pl.DataFrame, positions: np.ndarray) -> tuple[Inputs, np.ndarray]:
        """The rows' events, and a mask of those that are to be read one by one instead."""
        given = {name: frame[column] for name, column in self.columns.items()}
        for name, value in self.constants.items():
            given[name] = value.new_from_index(0, frame.height)
        rows, unsure = frame.height, np.zeros(frame.height, bool)
        column: dict[str, Any] = {"position": positions}
        self._codes(given, column, unsure)
        self._times(given, column, unsure)
        for name in AMOUNTS:
            kind = Amounts if name.startswith("fee") else Days
            column[name] = self._numbers(given, name, kind, ABSENT, unsure)
        flags = self._numbers(given, "imported", Flags, 0, unsure)
        column["imported"] = flags.astype(bool)
        column["event_id"] = np.zeros(rows, "S1")
        if "event_id" in given:
            column["event_id"], odd = ids(given["event_id"])
            unsure |= odd
        column["supersedes"] = np.zeros(rows, "S1")
        for name in _SELDOM:
            if name in given:
                unsure |= present(given[name])
        extras, column["relief"] = self._told(given, rows, unsure)
        carried = [self._words(given, name, unsure) for name in CARRIED]
        words = self.decoder.words
        column["content"] = content_hash(words, column, carried, extras)
        return Inputs(words, operators_known=self.decoder.operators_known, **column), unsure

    def _codes(self, given: dict[str, pl.Series], column: dict[str, Any], unsure: np.ndarray) -> None:
        for name in _CODED:
            codes = self._words(given, name, unsure)
            if name in _REQUIRED:
                unsure |= codes < 0
            column["case" if name == "case_id" else name] = codes
        column["procedure"] = self._words(given, "procedure", unsure)
        if self._by_step:
            absent, named = ACTION["step"], {"action": given["step"]} if "step" in given else {}
        else:
            absent, named = UNSURE, given
        actions = self._numbers(named, "action", Lookup, absent, unsure, self._action)
        column["action"] = actions.astype(np.int8)
        column["step"] = np.where(column["step"] < 0, column["action"], column["step"])
        self._numbers(given, "kind", Lookup, 0, unsure, lambda word: _KIND.get(word, UNSURE))

    def _words(self, given: dict[str, pl.Series], name: str, unsure: np.ndarray) -> np.ndarray:
        """Codes of a column of codes, by the vocabulary that it belongs to."""
        words = self.decoder.words
        vocabulary = getattr(words, "case" if name == "case_id" else name, words.other)
        table = self._values.get(name, {}) if name in self.columns else {}

        def meaning(word: str) -> int:
            word = table.get(word, word)
            known = name != "procedure" or not word or word in PROCEDURES
            return int(vocabulary.code(word)) if known else UNSURE

        return self._numbers(given, name, Lookup, NO_CODE, unsure, meaning, np.int32)

    def _action(self, word: str) -> int:
        default = "step" if self._by_step else word
        translated = word if "action" in self.constants else self._actions.get(word, default)
        return ACTION.get(translated, UNSURE)
