"""The parts that schemas are made of, one for each way in which a reader takes a key.

Only keywords that draft 7 knows as well are used, because the editors' validators stop there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from detector.tomlfile import TEXT_CHARS_MAX
from detector.values import MONEY_FEN_MAX

Schema = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"
MARK = "Written by `oriole schema` from what the readers take: edit those. 由程序生成。"
_INNER = r"[^\x00-\x1f\x7f-\x9f]"
_ENDS = r"[^\s\x00-\x1f\x7f-\x9f]"
TEXT = f"^{_ENDS}({_INNER}*{_ENDS})?$"  # not blank, no blanks at its ends, no control characters
DAY = r"^(19[9][0-9]|20[0-9]{2}|2100)-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"
MONEY = r"^\s*[0-9]{1,16}(\.[0-9]{0,2}0*)?\s*$"


def said(zh: str, en: str, schema: Mapping[str, Any]) -> Schema:
    """The schema with the words that an editor shows: a Chinese title, both languages below it."""
    return {"title": zh, "description": f"{zh}。{en}", **schema}


def text(zh: str, en: str, chars_max: int = TEXT_CHARS_MAX, **more: Any) -> Schema:
    """A text as `Table.text` takes it."""
    limits = {"minLength": 1, "maxLength": chars_max, "pattern": TEXT}
    return said(zh, en, {"type": "string", **limits, **more})


def texts(zh: str, en: str, **more: Any) -> Schema:
    """A list of texts, none of them twice, as `Table.texts` takes it."""
    entry = {"type": "string", "minLength": 1, "maxLength": TEXT_CHARS_MAX, "pattern": TEXT}
    return said(zh, en, {"type": "array", "items": entry, "uniqueItems": True, **more})


def choice(zh: str, en: str, words: Mapping[str, str] | Sequence[Any], **more: Any) -> Schema:
    """One of some words; where these have meanings, an editor shows them beside."""
    schema: Schema = {"enum": list(words), **more}
    if isinstance(words, Mapping):
        schema["x-taplo"] = {"docs": {"enumValues": list(words.values())}}
        en += " " + ", ".join(f"{word} {meaning}" for word, meaning in words.items()) + "."
    return said(zh, en, schema)


def whole(zh: str, en: str, low: int, high: int, **more: Any) -> Schema:
    """A whole number as `Table.whole` takes it."""
    return said(zh, en, {"type": "integer", "minimum": low, "maximum": high, **more})


def number(zh: str, en: str, **limits: Any) -> Schema:
    """A number, whole or not."""
    return said(zh, en, {"type": "number", **limits})


def flag(zh: str, en: str, default: bool) -> Schema:
    """True or false."""
    return said(zh, en, {"type": "boolean", "default": default})


def money(zh: str, en: str) -> Schema:
    """An amount in yuan, as text or number, that `read_money` takes."""
    number = {"type": "number", "minimum": 0, "maximum": MONEY_FEN_MAX / 100}
    return said(zh, en, {"anyOf": [{"type": "string", "pattern": MONEY}, number]})


def days(zh: str, en: str, most: int) -> Schema:
    """A list of days, each a TOML date or a text."""
    entry = {"type": "string", "pattern": DAY}
    return said(zh, en, {"type": "array", "items": entry, "maxItems": most, "default": []})


def pair(entry: Mapping[str, Any]) -> Schema:
    """A list of just two."""
    return {"type": "array", "items": dict(entry), "minItems": 2, "maxItems": 2}


def table(
    zh: str, en: str, keys: Mapping[str, Schema], required: Sequence[str] = (), **more: Any
) -> Schema:
    """A table that has these keys and no other."""
    needs = {"required": list(required)} if required else {}
    closed = {"type": "object", "properties": dict(keys), "additionalProperties": False}
    return said(zh, en, {**closed, **needs, **more})


def tables(zh: str, en: str, entry: Mapping[str, Any], **more: Any) -> Schema:
    """A list of tables."""
    return said(zh, en, {"type": "array", "items": dict(entry), **more})


def ref(name: str) -> Schema:
    """Stands for a part that the file tells once, under `$defs`."""
    return {"$ref": f"#/$defs/{name}"}


def file(root: Mapping[str, Any]) -> str:
    """The text of a schema file."""
    whole_file = {"$schema": DRAFT, "$comment": MARK, **root}
    return msgspec.json.format(msgspec.json.encode(whole_file), indent=2).decode() + "\n"
