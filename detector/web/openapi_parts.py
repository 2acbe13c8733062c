"""Parts of the interface's description that several routes share."""

from __future__ import annotations

from typing import Any

from detector.event import LEARNER_ACTS
from detector.ledger.verdicts import VERDICTS
from detector.notice import ACTS

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
BYTES: Schema = {"type": "string", "format": "binary"}
COUNT: Schema = {"type": "integer", "minimum": 0}
PROBLEM: Schema = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {"type": TEXT, "title": TEXT, "status": COUNT, "code": TEXT, "detail": TEXT},
}
PROBLEMS: Schema = {
    "description": "A problem as RFC 9457 says it. 429 and 503 say by Retry-After when to come "
    "again.",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
SECURITY: Schema = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "A key of `oriole key add`, of some powers, some departments, so many "
        "requests a minute.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "oriole",
        "description": "The session of a browser (`__Host-oriole` by https); what changes "
        "something bears the page's X-CSRF-Token besides. On loopback, while there is no account "
        "and no key, whoever asks is the local administrator.",
    },
}
KEY: Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "description": "The same body under the same key gets the same answer for a day.",
}


def _object(required: list[str], **properties: Schema) -> Schema:
    schema = {"type": "object", "required": required, "properties": properties}
    return {"required": True, "content": {"application/json": {"schema": schema}}}


ORDER = _object(
    ["subject", "tier", "text"], subject_kind=TEXT, subject=TEXT, department=TEXT,
    tier={"type": "integer", "minimum": 0, "maximum": 4}, text=TEXT, actor=TEXT,
)  # fmt: skip
ACT = _object(
    ["act"], act={"enum": sorted(ACTS)}, text=TEXT, reason=TEXT, until=TEXT, person=TEXT,
    decision=TEXT, confirmed={"type": "boolean"}, external_cause={"type": "boolean"}, actor=TEXT,
)  # fmt: skip
VERDICT = _object(["verdict"], verdict={"enum": sorted(VERDICTS)}, reason=TEXT, actor=TEXT)
LEARNER_ACT = _object(
    ["act", "reason"], act={"enum": sorted(LEARNER_ACTS)}, key=TEXT, to=TEXT, reason=TEXT,
    actor=TEXT,
)  # fmt: skip
RECEIPTS: Schema = {
    "required": True,
    "content": {"application/octet-stream": {"schema": {"description": "As the gateway sends."}}},
}
