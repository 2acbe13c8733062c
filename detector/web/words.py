"""Words of the screens (界面文字): a catalogue a language, each key in both (gettext's format).

Templates and routes ask by key; a key that a catalogue lacks is a defect and raises.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

from babel.messages.pofile import read_po
from starlette.requests import Request
from starlette.types import Scope

LANGUAGES = ("zh", "en")
LOCALES = {"zh": "zh-CN", "en": "en"}  # as `lang` of a page
COOKIE = "lang"
_FOLDER = Path(__file__).resolve().parent / "locales"
Words = Callable[..., str]


@cache
def catalogue(lang: str) -> dict[str, str]:
    """All texts of a language by their keys."""
    held: dict[str, str] = {}
    for name in ("", "accounts.", "answer.", "evidence.", "mistakes.", "problems.", "tune."):
        held |= _read(f"{name}{lang}.po", lang)
    return held


@cache
def bases() -> dict[str, str]:
    """What files that are shipped say of themselves, in Chinese, by its English text.

    That is: what a rule or a learner rests on, and what a parameter means.
    """
    return _read("basis.zh.po", "zh")


def based(text: str, lang: str) -> str:
    """What a rule or a learner says of itself; as it is where nobody put it into Chinese."""
    return bases().get(text, text) if lang == "zh" else text


def _read(file: str, lang: str) -> dict[str, str]:
    with (_FOLDER / file).open("rb") as stream:
        told = read_po(stream, locale=lang)
    return {str(one.id): str(one.string) for one in told if one.id}


def words_of(lang: str) -> Words:
    """What gives a text by its key, with values in its places. Raises `KeyError`."""
    held = catalogue(lang)

    def t(key: str, **values: object) -> str:
        return held[key].format(**values) if values else held[key]

    return t


def language(request: Request) -> str:
    """The language of a request: as it asks, else as was chosen before, else Chinese."""
    for told in (request.query_params.get("lang"), request.cookies.get(COOKIE)):
        if told in LANGUAGES:
            return told
    return LANGUAGES[0]


def language_of(scope: Scope) -> str:
    """The language of an answer that is no page: by `Accept-Language`, else as a page's."""
    request = Request(scope)
    return _wish(request.headers.get("accept-language", "")) or language(request)


def _wish(header: str) -> str:
    """Which of our languages a header wants most (RFC 9110 §12.5.4); "" for none of them."""
    best, most = "", 0.0
    for one in header.lower().split(","):
        tag, *told = (part.strip() for part in one.split(";"))
        lang = tag.partition("-")[0]
        weight = _weight(told)
        if lang in LANGUAGES and weight > most:
            best, most = lang, weight
    return best


def _weight(told: list[str]) -> float:
    """The weight of a language, from 0 to 1; what cannot be read weighs nothing."""
    if not told:
        return 1.0
    name, _, value = told[0].partition("=")
    plain = name == "q" and value.isascii() and value.replace(".", "", 1).isdigit()
    return float(value) if plain else 0.0
