"""The interface's description: what FastAPI derives, and by hand what it does not see.

Examples are real answers of the example county (`openapi_examples.json`), written by
`python tests/test_openapi.py`; the test asks for each of them again.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from detector.web import openapi_parts as parts
from detector.web.openapi_gate import GATE
from detector.web.openapi_parts import PROBLEMS, Schema
from detector.web.openapi_plain import EVENTS, STREAM

EXAMPLES = Path(__file__).with_name("openapi_examples.json")
PREFIX = "/api/v1"
# What is answered besides success; everywhere 400, and 401, 403, 429 of who comes, 503.
_READ = (408, 413, 415)  # by whatever reads a body
_WRITES = (*_READ, 504, 507)
STATUSES: dict[str, tuple[int, ...]] = {
    "POST /events": (*_READ, 409, 422, 507),
    "POST /gate": _READ,
    "GET /findings/{finding_id}": (404,),
    "POST /findings/{finding_id}/verdict": (404, 409, *_WRITES),
    "GET /cases/{case_id}": (404,),
    "GET /rules/{rule}": (404,),
    "GET /rules/{rule}/thresholds": (404, 409),
    "GET /models/{learner}": (404,),
    "GET /models/{learner}/epochs": (404,),
    "POST /models/{learner}/acts": (404, 409, *_WRITES),
    "GET /notices/{notice}": (404,),
    "POST /notices": _WRITES,
    "POST /notices/{notice}/acts": (404, 409, *_WRITES),
    "GET /notices/{notice}/document": (404, 409, 501),
    "GET /notices/{notice}/attachments": (404,),
    "GET /attachments/{sha256}": (404,),
    "POST /dead-letters/{message}/resend": (404,),
    "POST /district/reload": (422, 507),
    "POST /receipts/{channel}": (404, *_READ),
}
BODIES: dict[str, Schema] = {
    "POST /findings/{finding_id}/verdict": parts.VERDICT,
    "POST /models/{learner}/acts": parts.LEARNER_ACT,
    "POST /notices": parts.ORDER,
    "POST /notices/{notice}/acts": parts.ACT,
    "POST /receipts/{channel}": parts.RECEIPTS,
}
FILES: dict[str, tuple[str, ...]] = {  # answers that are no JSON
    "GET /notices/{notice}/document": ("text/html", "application/pdf"),
    "GET /attachments/{sha256}": ("application/octet-stream",),
}
OPEN = ("POST /receipts/{channel}",)  # the channel knows its gateway


def describe(app: FastAPI) -> Schema:
    """The whole description."""
    told = get_openapi(title=app.title, version=app.version, routes=app.routes)
    told["paths"] |= {
        f"{PREFIX}/events": {"post": EVENTS}, f"{PREFIX}/gate": {"post": GATE},
        f"{PREFIX}/stream": {"get": STREAM},
    }  # fmt: skip
    examples = msgspec.json.decode(EXAMPLES.read_bytes())
    told["paths"] = {
        path: {
            method: _whole(f"{method.upper()} {path.removeprefix(PREFIX)}", one, examples)
            for method, one in operations.items()
        }
        for path, operations in told["paths"].items()
    }
    told["components"] = {
        "schemas": {"Problem": parts.PROBLEM}, "securitySchemes": parts.SECURITY,
    }  # fmt: skip
    told["security"] = [{"key": []}, {"session": []}]
    return told


def _whole(name: str, one: Schema, examples: Schema) -> Schema:
    """An operation with all its answers, its body and its examples; the given is left alone."""
    told = {"tags": [name.split("/")[1].split("?")[0]], **one}
    told["responses"] = {k: v for k, v in one["responses"].items() if k != "422"}
    if name == "POST /notices":
        told["responses"] = {"201": told["responses"]["200"], "202": told["responses"]["200"]}
    if name == "POST /models/{learner}/acts":
        told["responses"] |= {"202": told["responses"]["200"]}
    common = (400, 503) if name in OPEN else (400, 401, 403, 429, 503)
    told["responses"] |= {str(status): PROBLEMS for status in (*common, *STATUSES.get(name, ()))}
    if name in OPEN:
        told |= {"security": []}
        told["responses"]["403"] = PROBLEMS
    if name in BODIES:
        told["requestBody"] = BODIES[name]
    if name in FILES:
        content = {kind: {"schema": parts.BYTES} for kind in FILES[name]}
        told["responses"]["200"] = {"description": "The file.", "content": content}
    elif name.startswith("GET ") and name != "GET /stream":
        told["responses"]["304"] = {"description": "Unchanged since the ETag that was named."}
    told["responses"] = dict(sorted(told["responses"].items()))
    return _with_examples(told, examples.get(name, {}))


def _with_examples(told: Schema, examples: Schema) -> Schema:
    """An operation with what was asked and answered."""
    for status, answer in examples.get("answers", {}).items():
        held = told["responses"][status]
        [kind] = [one for one in held["content"] if "json" in one]
        content = held["content"] | {kind: held["content"][kind] | {"example": answer}}
        told["responses"][status] = held | {"content": content}
    if "body" in examples:
        body = told["requestBody"]
        content = body["content"]["application/json"] | {"example": examples["body"]}
        kinds = body["content"] | {"application/json": content}
        told["requestBody"] = body | {"content": kinds}
    for parameter in told.get("parameters", []):
        if parameter["name"] in examples.get("path", {}):
            parameter["example"] = examples["path"][parameter["name"]]
    return told
