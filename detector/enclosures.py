"""Files that an act encloses (附件), as its line names them: by their hash, so that whoever reads
the journal again knows which they were. What is in them lies elsewhere.
"""

from __future__ import annotations

import re
from typing import Any

FIELDS = {"name", "sha256", "bytes", "type"}
NAME_CHARS_MAX, TYPE_CHARS_MAX, FILES_MAX = 255, 127, 32
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)


def enclosed(value: Any) -> tuple[dict[str, Any], ...] | None:
    """What a list of objects encloses, each with all four fields and no other; None where it is
    anything else, an empty list too."""
    if not isinstance(value, list) or not 0 < len(value) <= FILES_MAX:
        return None
    return tuple(dict(sorted(one.items())) for one in value) if all(map(_is_file, value)) else None


def _is_file(told: Any) -> bool:
    if not isinstance(told, dict) or told.keys() != FIELDS:
        return False
    size = told["bytes"]
    return (
        _text(told["name"], NAME_CHARS_MAX)
        and _text(told["type"], TYPE_CHARS_MAX)
        and isinstance(told["sha256"], str)
        and _HASH.fullmatch(told["sha256"]) is not None
        and isinstance(size, int)
        and not isinstance(size, bool)
        and 0 <= size < 1 << 53
    )


def _text(told: Any, chars_max: int) -> bool:
    if not isinstance(told, str) or not 0 < len(told) <= chars_max:
        return False
    return told.isprintable()  # so it is no half of a surrogate pair either
