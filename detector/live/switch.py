"""A rule's mode in the text of a rulebook.toml: the one key is set, all else stays as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from detector.overrides import MODES


def with_mode(text: bytes, rule: str, mode: str) -> bytes:
    """The text with `mode` of `[rules.<rule>]` set. Raises `ValueError` where it is no TOML, or no
    such mode."""
    if mode not in MODES:
        raise ValueError(f"mode: write one of {', '.join(MODES)}")

    def edit(held: Any) -> None:
        held["mode"] = mode

    return edited(text, rule, edit)


def edited(text: bytes, rule: str, edit: Callable[[Any], object]) -> bytes:
    """The text with the table of one rule changed. Raises `ValueError` where that cannot be."""
    try:
        book = tomlkit.parse(text.decode())
        rules = book.setdefault("rules", tomlkit.table(is_super_table=True))
        edit(rules.setdefault(rule, tomlkit.table()))
    except (TOMLKitError, UnicodeDecodeError, AttributeError, TypeError, KeyError) as fault:
        raise ValueError("rulebook.toml: cannot be edited; mend it by hand") from fault
    return tomlkit.dumps(book).encode()
