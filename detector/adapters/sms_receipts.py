"""Receipts of text messages (状态报告) that an HTTP gateway brings to `/receipts/<channel>`.

Each must prove that it comes from the gateway: by a word that both know, in a header or in the
address, or by a signature over its body.
"""

from __future__ import annotations

import hmac
import urllib.parse
from collections.abc import Mapping
from typing import Any

from detector.adapters.templates import Said, at, signed, walk
from detector.delivery import QUERY, Receipt

ROWS_MAX = 5_000


def receipts(
    how: Mapping[str, Any], word: str, body: bytes, headers: Mapping[str, str]
) -> list[Receipt]:
    """What a callback says. Raises `ValueError` where it is not genuine or cannot be read."""
    if not word or not _genuine(how, word, body, headers):
        raise ValueError("the callback does not bear the agreed word")
    told = Said(body).told
    rows = walk(told, how["list_field"]) if how.get("list_field") else told
    rows = rows if isinstance(rows, list) else [rows]
    field = how["status_field"]
    if len(rows) > ROWS_MAX or not all(isinstance(row, dict) and at(row, field) for row in rows):
        raise ValueError(f"the callback is no list of at most {ROWS_MAX} rows with {field}")
    found = []
    for row in rows:
        code = at(row, field)
        status = how["statuses"].get(code)
        message, known = at(row, how.get("message_field", "")), at(row, how.get("id_field", ""))
        if status and (message or known):  # one on its way says nothing yet
            found.append(Receipt(status, message, known, code))
    return found


def _genuine(how: Mapping[str, Any], word: str, body: bytes, headers: Mapping[str, str]) -> bool:
    if how.get("query"):
        asked = dict(urllib.parse.parse_qsl(headers.get(QUERY, ""), max_num_fields=64))
        return _same(asked.get(how["query"], ""), word)
    given = headers.get(how.get("header", "").lower(), "")
    sign = how.get("sign", {})
    return _same(given, signed(sign, body, word) if sign.get("kind", "none") != "none" else word)


def _same(given: str, wanted: str) -> bool:
    return bool(wanted) and hmac.compare_digest(given.encode(), wanted.encode())
