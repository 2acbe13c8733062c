"""The description of `POST /api/v1/gate`, with what the example county answers to the 58-second
survey."""

from __future__ import annotations

from typing import Any

_TEXT: dict[str, Any] = {"type": "string"}
_LIST: dict[str, Any] = {"type": "array", "items": {"type": "object"}}
_ASKED: dict[str, Any] = {
    "event_id": "e2", "case_id": "c1", "action": "step", "step": "survey", "item": "permit",
    "department": "D01", "operator": "P0102", "recorded_at": "2026-03-02T09:00:58+08:00",
    "documents": ["survey_opinion"], "fields": ["surveyed_on"],
}  # fmt: skip
_BROKEN: dict[str, Any] = {
    "finding_id": "21412a57a5a161de0fddfed72f8e71e3", "rule": "too_fast_step", "edition": 1,
    "family": "truth", "tier": 2,
    "reason": {"code": "too_fast", "zh": "用时少于该环节最低办理时间",
               "en": "less than the least working time"},
    "subject_kind": "case", "subject": "c1", "case_id": "c1", "district": "320411",
    "department": "D01", "item": "permit", "step": "survey", "operator": "P0102",
    "at": "2026-03-02T09:00:58+08:00", "value": 58, "unit": "s", "limit": 1800,
    "evidence": {
        "previous_step": "accept", "previous_operator": "P0101", "step": "survey",
        "operator": "P0102", "previous_recorded_at": "2026-03-02T09:00:00+08:00",
        "recorded_at": "2026-03-02T09:00:58+08:00",
    },
    "sentence": {
        "zh": "办件 c1：环节“现场勘查”于 2026-03-02 09:00:58 录入，距上一环节“受理”仅 58 秒，"
              "少于最低办理时间 1800 秒（经办人 P0102）。",
        "en": 'Case c1: step "survey" was recorded at 2026-03-02 09:00:58, only 58 s after "accept"'
              "; the work takes at least 1800 s (operator P0102).",
    },
    "basis": "County report on online transparency: survey 58 s after acceptance, limit 30 min"
             " (published); 60 s elsewhere (ours)",
    "events": ["e1", "e2"], "rulebook": "9f…", "muted": None, "withdrawn": None,
    "hypothetical": True, "blocks": True,
}  # fmt: skip
_CLEARS: dict[str, Any] = {
    "rule": "too_fast_step", "from": "2026-03-02T09:30:00+08:00",
    "text": {"zh": "09:30:00 起可办理", "en": "may be filed from 09:30:00 on"},
}  # fmt: skip
_VERDICT: dict[str, Any] = {
    "type": "object",
    "required": ["allow", "decided_by", "clock", "findings", "undetermined", "clears", "duplicate"],
    "properties": {
        "allow": {"type": "boolean"},
        "decided_by": {"enum": ["rules", "failure"]},
        "code": {**_TEXT, "description": "Of a failure: why nobody could judge, for programs."},
        "reason": {**_TEXT, "description": "Of a failure: the same in words (Accept-Language)."},
        "clock": {"type": ["string", "null"], "description": "The engine's clock."},
        "findings": _LIST,
        "undetermined": _LIST,
        "clears": _LIST,
        "duplicate": {"type": "boolean", "description": "It was recorded before."},
        "refused": {"type": "object", "description": "It would not be taken: field, code, error."},
    },
}
GATE: dict[str, Any] = {
    "summary": "Would this event break a blocking rule? Nothing is recorded",
    "description": "One case event as `/events` takes it; `event_id` may be left out, and times "
    "that are not given are now. Judged by what is committed, by the same rules: `findings` are "
    "those that would be raised (`blocks`: it is not muted), `undetermined` what a rule cannot "
    "know, `clears` the smallest change of each (`from`: it is clear from then on). "
    "`decided_by: failure`: nobody could judge in time, and the district's `gate_on_failure` "
    "answers; the header `Oriole-Gate` says so too.",
    "operationId": "post_gate",
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"type": "object"}, "example": _ASKED}},
    },
    "responses": {
        "200": {
            "description": "Whether, why not, and what would make it pass.",
            "content": {
                "application/json": {
                    "schema": _VERDICT,
                    "example": {
                        "allow": False,
                        "decided_by": "rules",
                        "clock": "2026-03-02T09:00:00+08:00",
                        "findings": [_BROKEN],
                        "undetermined": [],
                        "clears": [_CLEARS],
                        "duplicate": False,
                    },
                }
            },
        },
    },
}
