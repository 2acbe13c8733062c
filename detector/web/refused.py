"""Refused lines as they are answered (拒收说明): a code for programs, a sentence for people.

The service's own answer, which may be kept under a key, is in the engine's words; here it is put
into those of a request, and only where there is something to say.
"""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.types import Scope

from detector.live import Answer
from detector.web.said import Said
from detector.web.words import LOCALES, language_of

NONE = b'"refused":[]}'  # how an answer ends that refuses nothing
_answer = msgspec.json.Decoder(Answer)
_encode = msgspec.json.Encoder().encode


class Told(msgspec.Struct, frozen=True):
    """A refused line, as a request is told of it."""

    line: int
    field: str
    code: str
    error: str


class Worded(msgspec.Struct, frozen=True):
    """An `Answer` in the words of a request."""

    accepted: int
    duplicates: int
    refused: list[Told]


def worded(told: bytes, scope: Scope) -> tuple[bytes, dict[str, str]]:
    """An encoded `Answer` in the words that a request asks for, and headers that say so."""
    if told.endswith(NONE):
        return told, {}
    lang, answer = language_of(scope), _answer.decode(told)
    refused = []
    for one in answer.refused:
        error = Said(one.error)
        refused.append(Told(one.line, one.field, error.code, error.in_(lang)))
    return _encode(Worded(answer.accepted, answer.duplicates, refused)), spoken(lang)


def fault(field: str, error: str, lang: str) -> dict[str, Any]:
    """What is wrong with the one line that a request holds."""
    said = Said(error)
    return {"field": field, "code": said.code, "error": said.in_(lang)}


def spoken(lang: str) -> dict[str, str]:
    """The headers of an answer whose words are of a language."""
    return {"Content-Language": LOCALES[lang], "Vary": "Accept-Language, Cookie"}
