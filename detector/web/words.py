"""Words of the screens (界面文字): a catalogue a language, each key in both (gettext's format).

Templates and routes ask by key; a key that a catalogue lacks is a defect and raises.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

from babel.messages.pofile import read_po
from starlette.requests import Request

LANGUAGES = ("zh", "en")
LOCALES = {"zh": "zh-CN", "en": "en"}  # as `lang` of a page
COOKIE = "lang"
_FOLDER = Path(__file__).resolve().parent / "locales"
Words = Callable[..., str]


@cache
def catalogue(lang: str) -> dict[str, str]:
    """All texts of a language by their keys."""
    held: dict[str, str] = {}
    for name in (f"{lang}.po", f"accounts.{lang}.po", f"answer.{lang}.po", f"tune.{lang}.po"):
        with (_FOLDER / name).open("rb") as stream:
            told = read_po(stream, locale=lang)
        held |= {str(one.id): str(one.string) for one in told if one.id}
    return held


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
