"""What a gateway is sent and says, described as data: templates with {fields}, paths, signatures.

Nothing of it is code: a template is filled once, a path is walked, a comparison is one of three.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

DIGESTS = {"md5": "md5", "sha1": "sha1", "sha256": "sha256"}
MACS = {"hmac_sha1": "sha1", "hmac_sha256": "sha256"}
FORM_FIELDS_MAX = 256
_FIELD = re.compile(r"\{(\w+)\}")


def filled(template: Any, told: Mapping[str, str]) -> Any:
    """A template, a list or a table of them, with its {fields}; one not known stays as it is. What
    is filled in is not looked at again."""
    if isinstance(template, str):
        return _FIELD.sub(lambda found: told.get(found[1], found[0]), template)
    if isinstance(template, Mapping):
        return {key: filled(one, told) for key, one in template.items()}
    if isinstance(template, Sequence):
        return [filled(one, told) for one in template]
    return template


def signed(how: Mapping[str, str], data: bytes, secret: str) -> str:
    """The signature of some bytes: `kind` (a digest or an HMAC), spelled `as` hex, HEX, base64."""
    kind, spelling = how.get("kind", "none"), how.get("as", "hex")
    if kind in MACS:
        mark = hmac.new(secret.encode(), data, MACS[kind]).digest()
    elif kind in DIGESTS:  # what many gateways ask for; MD5 protects little
        mark = hashlib.new(DIGESTS[kind], data, usedforsecurity=False).digest()
    else:
        return ""
    if spelling == "base64":
        return base64.b64encode(mark).decode()
    return mark.hex().upper() if spelling == "HEX" else mark.hex()


class Said:
    """What a gateway said: JSON, a form, or one text."""

    def __init__(self, body: bytes) -> None:
        self.text = body.decode(errors="replace").strip()
        self.told: Any = None
        try:
            self.told = msgspec.json.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            if "=" in self.text:
                try:
                    fields = urllib.parse.parse_qsl(self.text, max_num_fields=FORM_FIELDS_MAX)
                except ValueError:
                    fields = []
                self.told = dict(fields)

    def at(self, path: str) -> str:
        """The value at a path, as text; the whole text where the path is empty."""
        return at(self.told, path) if path else self.text


def walk(told: Any, path: str) -> Any:
    """The value at `a.b.0`; None where there is none."""
    for part in path.split("."):
        if isinstance(told, dict):
            told = told.get(part)
        elif isinstance(told, list) and part.isdecimal() and int(part) < len(told):
            told = told[int(part)]
        else:
            return None
    return told


def at(told: Any, path: str) -> str:
    """The value at a path, as a gateway's manual would write it; "" where there is none."""
    value = walk(told, path) if path else None
    if value is None or isinstance(value, dict | list):
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def holds(value: str, operator: str, wanted: Sequence[str]) -> bool:
    """Is the value one of those (`==`), does it hold one (`in`) or begin with one (`starts`)."""
    if operator == "==":
        return value in wanted
    return any(one in value if operator == "in" else value.startswith(one) for one in wanted)
