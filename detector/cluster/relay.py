"""What a shard tells another, as one line of JSON: the other journals it as it came.

A line names the batch that it came from and the one before it, so that what is sent twice is known
and what is missing is seen. `seq == before`: no batch, only how far its source has come.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from detector.columns import Words
from detector.event import Fact
from detector.handed import Handed
from detector.known import WATERMARK
from detector.learning.observed import CODED as OBSERVED_CODED
from detector.learning.observed import COLUMNS as OBSERVED
from detector.learning.observed import Observed
from detector.notice_state import Matter
from detector.records import COLUMNS, Records
from detector.values import ABSENT
from detector.vocabulary import to_bytes

RELAY = "relay"
BEGINS = b'{"kind":"relay",'
CODED = {name: name for name in ("operator", "case", "item", "department")}


class Line(msgspec.Struct, omit_defaults=True, tag_field="kind", tag=RELAY):
    """One batch's word to one shard."""

    source: str
    before: int  # the last frame of the batch before it
    seq: int  # the last frame of this batch
    watermark: int = ABSENT  # all up to this instant was told, µs UTC
    words: dict[str, list[str]] = {}  # the texts of coded columns
    records: dict[str, list[Any]] = {}  # what operators typed, as columns
    matters: list[tuple[int, Matter]] = []  # moves of findings, known since when
    closed: list[tuple[int, str]] = []  # when, and which case
    handed: Handed | None = None
    observed: dict[str, list[Any]] = {}  # what learners are shown, as columns

    @property
    def empty(self) -> bool:
        """Does it say no more than how far its source has come."""
        return self.seq == self.before

    def fact(self, position: int) -> Fact:
        """The line as an input."""
        kind = WATERMARK if self.empty else RELAY
        return Fact(
            kind=kind, received_at=max(self.watermark, 0), fields={RELAY: self}, position=position
        )


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Line).decode


def encode(line: Line) -> bytes:
    """The line, its newline included."""
    return _encode(line) + b"\n"


def decode(data: bytes) -> Line:
    """The line that `encode` wrote. Raises `ValueError` where it is none."""
    return _decode(data)


def spell(
    records: Records | Observed, names: Sequence[str] = COLUMNS, coded: Mapping[str, str] = CODED
) -> tuple[dict[str, list[str]], dict[str, list[Any]]]:
    """Records as texts and columns: codes of this process become places among the texts."""
    words, columns = dict[str, list[str]](), dict[str, list[Any]]()
    for name in names:
        column = getattr(records, name)
        if name in coded:
            used, places = np.unique(column, return_inverse=True)
            texts = getattr(records.words, coded[name]).texts(used)
            words[name] = [text or "" for text in texts]
            columns[name] = places.tolist()
        elif name == "event_id":
            columns[name] = [one.decode() for one in column.tolist()]
        else:
            columns[name] = column.tolist()
    return words, columns


def read_records(line: Line, words: Words) -> Records | None:
    """The records of a line, coded by the words of this process."""
    if not line.records:
        return None
    return Records(words, *_columns(line.records, line.words, words, COLUMNS, CODED))


def spell_observed(observed: Observed) -> tuple[dict[str, list[str]], dict[str, list[Any]]]:
    """What learners are shown, as `spell` does it."""
    return spell(observed, OBSERVED, OBSERVED_CODED)


def read_observed(line: Line, words: Words) -> Observed | None:
    """What a line shows learners, coded by the words of this process."""
    if not line.observed:
        return None
    columns = _columns(line.observed, line.words, words, OBSERVED, OBSERVED_CODED)
    columns[-1] = columns[-1].astype(np.uint16)
    return Observed(words, *columns)


def _columns(
    told: Mapping[str, list[Any]], texts: Mapping[str, list[str]], words: Words,
    names: Sequence[str], coded: Mapping[str, str],
) -> list[np.ndarray]:  # fmt: skip
    columns = []
    for name in names:
        if name in coded:  # "" is nobody
            known = [text or None for text in texts[name]]
            codes = getattr(words, coded[name]).encode(known)
            columns.append(codes[np.array(told[name], np.int64)])
        elif name == "event_id":
            columns.append(to_bytes(told[name]))
        else:
            columns.append(np.array(told[name], np.int64))
    return columns
