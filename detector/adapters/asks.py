"""Questions to a running service over HTTP, for commands."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

TIMEOUT_S = 30


class Refused(Exception):
    """The service does not do it, or cannot be reached; the message says why."""


def ask(
    server: str, path: str, query: Mapping[str, str] | None = None,
    body: Mapping[str, Any] | bytes | None = None,
) -> Any:  # fmt: skip
    """What the service answers, as JSON. Raises `Refused`."""
    if urllib.parse.urlsplit(server).scheme not in ("http", "https"):
        raise Refused("write the server's address with http:// or https://")
    url = f"{server}{urllib.parse.quote(path)}?{urllib.parse.urlencode(query or {})}"
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as fault:
        try:
            told = json.load(fault)["detail"]
        except (ValueError, KeyError):
            told = f"the service answers {fault.code}"
        raise Refused(told) from None
    except urllib.error.URLError as fault:
        raise Refused(f"{server}: cannot be reached: {fault.reason}") from None
