"""A document's page: A4, in the look of a Chinese official document, everything escaped.

The page is whole: styles inside, no script, nothing fetched. A browser prints it as it is.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from detector.documents import Entry, Paper
from detector.documents.words import (
    ALOFT,
    ASKED,
    DEMANDS,
    LABELS,
    MARKS,
    NOTES,
    OPENING,
    ORDERS,
    TITLES,
)
from detector.moments import day, minute, stamp
from detector.values import SECOND_US, LocalZone, iso_time
from detector.verdict import Text

# No quotes, which would be escaped. Noto first: the printer is installed with it; a desk without it
# has a face of the standard.
_SONG = "Noto Serif CJK SC, Source Han Serif SC, FangSong, STFangsong, SimSun, serif"
_LATIN = f"Times New Roman, Liberation Serif, Noto Serif, {_SONG}"
_STYLE = {  # what differs between the languages
    "zh": {
        "lang": "zh-CN",
        "face": _SONG,
        "indent": "2em",
        "align": "justify",
        "title_spacing": "0.15em",
    },
    "en": {
        "lang": "en",
        "face": _LATIN,
        "indent": "0",
        "align": "left",
        "title_spacing": "0",
    },
}
LINE_WIDTH = 28  # of an issuing body's name in large letters; Han counts two


def render(paper: Paper, zone: LocalZone) -> str:
    """The document as one HTML page, in the language of the paper.

    Raises `KeyError` for a tier that is no official document.
    """
    language = "zh" if paper.language == "zh" else "en"
    point = "．" if language == "zh" else ".\u00a0"
    told: dict[str, Any] = {
        "paper": paper,
        "words": {name: _in(text, language) for name, text in LABELS.items()},
        "title": _in(TITLES[paper.tier], language),
        "opening": _opening(paper, language),
        "aloft": _in(ALOFT, language) if paper.level > 1 else "",
        "entries": [_entry(entry, language) for entry in paper.findings],
        "asked": _in(ASKED, language) + ("" if language == "zh" else ":"),
        "demands": _demands(paper, zone, language),
        "notes": [f"{n}{point}{_in(note, language)}" for n, note in enumerate(NOTES, 1)],
        "date": day(paper.issued_at, zone, language),
        "created": iso_time(paper.issued_at // SECOND_US * SECOND_US),
    }
    return _template().render(told | _STYLE[language] | _letters(paper.issuing_body, language))


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("document.html.j2")


def _in(text: Text, language: str) -> str:
    return text.zh if language == "zh" else text.en


def _opening(paper: Paper, language: str) -> str:
    n = len(paper.findings)
    if language == "zh":
        many = f"{n}项" if n > 1 else ""
    else:
        many = "the following" if n == 1 else f"the following {n} matters"
    order = _in(ORDERS[paper.tier], language)
    return _in(OPENING, language).format(district=paper.district, n=many, order=order)


def _entry(entry: Entry, language: str) -> dict[str, str]:
    return {
        "finding_id": entry.finding_id,
        "item_name": entry.item_name,
        "sentence": _in(entry.sentence, language),
        "at": stamp(entry.at),
        "basis": entry.basis,
    }


def _demands(paper: Paper, zone: LocalZone, language: str) -> list[str]:
    """One numbered line a deadline."""
    dues = {n: getattr(paper, f"{n}_by") for n in ("acknowledge", "answer", "finish")}
    lines = [
        _in(DEMANDS[name], language).format(when=minute(due, zone, language))
        for name, due in dues.items()
        if due is not None
    ] or [_in(DEMANDS["none"], language)]
    ends = ["；" if language == "zh" else ";"] * (len(lines) - 1) + [
        "。" if language == "zh" else "."
    ]
    opened, closed = ("（", "）") if language == "zh" else ("(", ") ")
    marks = _in(MARKS, language)
    return [
        f"{opened}{marks[n]}{closed}{line}{end}"
        for n, (line, end) in enumerate(zip(lines, ends, strict=True))
    ]


def _letters(name: str, language: str) -> dict[str, str]:
    """How large the name of the issuing body is printed, so that a long one keeps its lines."""
    fits = sum(2 if character >= "\u2e80" else 1 for character in name) <= LINE_WIDTH
    spacing = "0.12em" if language == "zh" and fits else "0"
    return {
        "body_size": "34pt" if fits else "24pt",
        "body_spacing": spacing,
        "seal_right": ("4em" if language == "zh" else "1em") if fits else "0",
    }
