"""Questions to a running service over HTTP, for commands."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

from detector.adapters.machine import secret

KEY = "ORIOLE_KEY"  # of the environment, or the file that ORIOLE_KEY_FILE names
TIMEOUT_S = 30
WORKER_TIMEOUT_S = 5.0
WORKER_BYTES_MAX = 256 << 20


class Refused(Exception):
    """The service does not do it, or cannot be reached; the message says why."""


def ask_worker(
    url: str, query: Mapping[str, str], headers: Mapping[str, str],
    timeout_s: float = WORKER_TIMEOUT_S, bytes_max: int = WORKER_BYTES_MAX,
) -> bytes | None:  # fmt: skip
    """What a worker of the cluster answers; None where it knows nothing of it. Raises `Refused`,
    also where it sends nothing for `timeout_s`, ends amidst its answer, or says too much."""
    request = urllib.request.Request(
        f"{url}?{urllib.parse.urlencode(query)}", headers=dict(headers)
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            told = bytes(answer.read(bytes_max))
            if answer.length:  # what is missing of it
                raise Refused(f"the worker's answer was cut, or is larger than {bytes_max} bytes")
            return told
    except urllib.error.HTTPError as fault:
        if fault.code == 404:
            return None
        raise Refused(f"the worker answers {fault.code}") from None
    except (urllib.error.URLError, OSError) as fault:
        raise Refused("the worker cannot be reached") from fault


def ask_gate(
    url: str, query: Mapping[str, str], headers: Mapping[str, str], line: bytes, timeout_s: float
) -> tuple[int, bytes]:
    """Status and answer of a worker that is asked beforehand. Raises `Refused`."""
    url = f"{url}?{urllib.parse.urlencode(query)}"
    request = urllib.request.Request(url, line, dict(headers))
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            return int(answer.status), bytes(answer.read())
    except urllib.error.HTTPError as fault:
        return fault.code, bytes(fault.read())
    except (urllib.error.URLError, OSError) as fault:
        raise Refused("the worker cannot be reached") from fault


def ask(
    server: str, path: str, query: Mapping[str, str] | None = None,
    body: Mapping[str, Any] | bytes | None = None,
) -> Any:  # fmt: skip
    """What the service answers, as JSON. Raises `Refused`."""
    if urllib.parse.urlsplit(server).scheme not in ("http", "https"):
        raise Refused("write the server's address with http:// or https://")
    url = f"{server}{urllib.parse.quote(path)}?{urllib.parse.urlencode(query or {})}"
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "Accept-Language": "en"}
    key = secret(KEY)
    if key:
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(url, data, headers)
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
