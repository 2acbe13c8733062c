"""From a step to the text message about it: how long until the gateway has it, under load.

The server runs on the wall clock, the gateway is a process of its own. Among 15,000 acceptances a
second without fault come 100 offences a second that must cost a notice, each of a case of its own
whose number the message names. A latency runs from the instant at which the event's body was due to
be sent. The hour of the day must not matter: the rule over office hours is off.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.bench_justice import LINE
from benchmarks.county_files import DISTRICT, ROOT, SCRATCH

PLACE = SCRATCH / "sms"
RATE, LINES, SECONDS, A_SECOND = 15_000, 500, 20, 100
WAYS = """[delivery]
quiet = []
on_days_off = true
group_from = 10000
recipient_per_hour_max = 10000
recipient_per_day_max = 10000
[[channels]]
name = "sms"
kind = "sms_http"
per_minute_max = 1000000
url = "http://127.0.0.1:{port}/send"
secret_env = "ORIOLE_SMS"
id_field = "id"
allow_private = ["127.0.0.0/8"]
body = {{ mobile = "{{to}}", content = "{{text}}", msgid = "{{message_id}}", sign = "{{sign}}" }}
sign = {{ kind = "md5", over = "{{to}}{{text}}{{secret}}" }}
success = {{ field = "result", values = ["0"] }}
[[routes]]
channels = ["sms"]
"""
_CASE = re.compile(r"sms-(\d+)")


def run() -> list[dict[str, Any]]:
    """One row: ms from the event to the gateway at the 99th percentile."""
    shutil.rmtree(PLACE, ignore_errors=True)
    shutil.copytree(DISTRICT, PLACE / "district")
    gate = [sys.executable, str(ROOT / "tests" / "gateways" / "http_gateway.py"), "sms"]
    with subprocess.Popen(gate, stdout=subprocess.PIPE, text=True) as gateway:
        assert gateway.stdout is not None
        port = json.loads(gateway.stdout.readline())["port"]
        (PLACE / "district" / "channels.toml").write_text(WAYS.format(port=port))
        rules = PLACE / "district" / "rulebook.toml"
        rules.write_text(rules.read_text() + '\n[rules.off_hours]\nmode = "off"\n')
        came: dict[int, float] = {}
        heard = threading.Thread(target=_hear, args=(gateway.stdout, came), daemon=True)
        heard.start()
        try:
            due, sent_s = _serve(came)
        finally:
            gateway.terminate()
    shutil.rmtree(PLACE)
    late = np.array([came[n] - at for n, at in due.items() if n in came]) * 1e3
    told = {q: round(float(np.percentile(late, q)), 1) for q in (50, 99, 99.9)}
    note = (
        f"{len(due):,} notices in {sent_s:.1f} s beside {RATE:,} events/s asked for,"
        f" {len(due) - len(late)} never came, p50 {told[50]}, p99.9 {told[99.9]} ms"
    )
    return [
        {"name": "event_to_sms_p99", "value": told[99], "unit": "ms", "against": None,
         "ratio": None, "note": note},
    ]  # fmt: skip


def _hear(source: Any, came: dict[int, float]) -> None:
    for line in source:
        found = _CASE.search(json.loads(line).get("text", ""))
        if found:
            came.setdefault(int(found[1]), perf_counter())


def _serve(came: dict[int, float]) -> tuple[dict[int, float], float]:
    command = [sys.executable, "-m", "detector", "run", "--district", str(PLACE / "district")]
    command += ["--data", str(PLACE / "data"), "--port", "0"]
    with subprocess.Popen(
        command, cwd=ROOT, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"ORIOLE_SMS": "swordfish"},
    ) as server:  # fmt: skip
        assert server.stderr is not None
        told = next(e for e in map(json.loads, server.stderr) if e["event"] == "listening")
        threading.Thread(target=server.stderr.read, daemon=True).start()
        try:
            due, taken = _send(int(told["url"].rpartition(":")[2]))
            end = perf_counter() + 30
            while len(came) < len(due) and perf_counter() < end:
                threading.Event().wait(0.2)
        finally:
            server.terminate()
    return due, taken


def _send(port: int) -> tuple[dict[int, float], float]:
    """Bodies at their instants; when each notice's event was due."""
    due: dict[int, float] = {}
    connection = http.client.HTTPConnection("127.0.0.1", port)
    begun, number = perf_counter(), 0
    for body in range(SECONDS * RATE // LINES):
        at = begun + body * LINES / RATE
        wait = at - perf_counter()
        if wait > 0:
            threading.Event().wait(wait)
        lines = _clean(body)
        while number < (at - begun) * A_SECOND:
            lines += _offence(number)
            due[number] = at
            number += 1
        connection.request("POST", "/api/v1/events", b"".join(lines))
        told = json.loads(connection.getresponse().read())
        if told.get("accepted") != len(lines):
            raise RuntimeError(f"not taken: {told}")
    return due, perf_counter() - begun


def _clean(body: int) -> list[bytes]:
    """Acceptances with all their papers, each by a person of its own."""
    now = datetime.now(UTC).isoformat()
    some = range(body * LINES, (body + 1) * LINES)
    return [(LINE % (f"b{n}", f"b{n}", n, now, now)).encode() + b"\n" for n in some]


def _offence(number: int) -> list[bytes]:
    now = datetime.now(UTC)
    steps = (("a", "accept", None, 58), ("b", "step", "survey", 0))
    return [
        json.dumps(
            {
                "event_id": name, "case_id": f"sms-{number}", "action": action, "step": step,
                "item": "permit", "department": f"D{1 + number % 7:02d}",
                "operator": f"Q{number % 997}{name}",
                "occurred_at": (now - timedelta(seconds=ago)).isoformat(),
                "recorded_at": (now - timedelta(seconds=ago)).isoformat(),
            }
        ).encode() + b"\n"
        for name, action, step, ago in steps
    ]  # fmt: skip
