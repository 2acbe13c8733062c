"""The interface's description: whole, and its examples are what is answered.

`python tests/test_openapi.py` asks for all examples and writes them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fuzz_kit import Site
from learning_kit import few_days
from live_kit import ACCEPT, SURVEY, Live, county

from detector.ledger.content import Content
from detector.web.openapi import EXAMPLES, PREFIX
from detector.web.permits import PERMITS

HASHES = ("rulebook", "digest", "sha256", "before", "published")
PAIR = "01/permit/accept/survey/"
AT = "2026-03-02T09:05:00+08:00"
EVENTS = [ACCEPT, SURVEY, {**SURVEY, "event_id": "e3", "action": "approve"}]
# what is asked, in this order: name, values in its path, query, body
Asked = tuple[str, dict[str, str], str, Any]


class Small(Site):
    """The 58-second survey, and nothing else."""

    def content(self) -> Content:
        """The county as it is shipped: it does not learn."""
        return county()

    def feed(self, live: Live) -> None:
        """Two events; the second too fast."""
        live.post(ACCEPT, SURVEY)
        live.post({"kind": "tick", "at": AT})


class Learned(Site):
    """A district that has learned for two days; a limit would jump."""

    def feed(self, live: Live) -> None:
        """Three days of permits."""
        live.post(*few_days())


def of_learned(site: Site) -> list[Asked]:
    """One of every route about learners."""
    learner = {"learner": "pace"}
    return [
        ("GET /models", {}, "", None),
        ("GET /models/{learner}", learner, f"key={PAIR}", None),
        ("GET /models/{learner}", {"learner": "nothing"}, "", None),
        ("GET /models/{learner}/epochs", learner, "limit=1", None),
        ("POST /models/{learner}/acts", learner, "",
         {"act": "approve", "key": PAIR, "reason": "现场核实，流程已改", "actor": "L2"}),
        ("POST /models/{learner}/acts", learner, "", {"act": "thaw", "reason": "x"}),
    ]  # fmt: skip


def questions(site: Site) -> list[Asked]:
    """One of every route that answers JSON."""
    [finding], notice = site.findings, {"notice": site.row.notice_id}
    return [
        ("GET /findings", {}, "state=stands&limit=1", None),
        ("GET /findings/{finding_id}", {"finding_id": finding}, "", None),
        ("GET /findings/{finding_id}", {"finding_id": "nothing"}, "", None),
        ("POST /findings/{finding_id}/verdict", {"finding_id": finding}, "",
         {"verdict": "confirmed", "reason": "经核实，未到现场", "actor": "L2"}),
        ("POST /findings/{finding_id}/verdict", {"finding_id": finding}, "", {"verdict": "maybe"}),
        ("GET /cases/{case_id}", {"case_id": "c1"}, "", None),
        ("GET /notices", {}, "state=open", None),
        ("GET /notices/{notice}", notice, "", None),
        ("GET /notices/{notice}/attachments", notice, "", None),
        ("POST /notices/{notice}/acts", notice, "",
         {"act": "urge", "text": "速办", "actor": "L2", "until": "2026-03-04"}),
        ("POST /notices/{notice}/acts", notice, "", {"act": "decide_appeal"}),
        ("POST /notices", {}, "",
         {"subject_kind": "case", "subject": "c2", "department": "D01", "tier": 2,
          "text": "请核实", "actor": "L2"}),
        ("GET /rules", {}, "", None),
        ("GET /rules/{rule}", {"rule": "too_fast_step"}, "", None),
        ("GET /rules/{rule}/thresholds", {"rule": "too_fast_step"}, "limit=1800&at=58&at=59", None),
        ("GET /rules/{rule}/thresholds", {"rule": "overdue_promise"}, "", None),
        ("GET /counts", {}, "", None),
        ("GET /board", {}, "", None),
        ("GET /dead-letters", {}, "", None),
        ("POST /dead-letters/{message}/resend", {"message": "a.1"}, "", None),
        ("POST /district/reload", {}, "", None),
        ("POST /events", {}, "", EVENTS),
        ("GET /refusals", {}, "", None),
        ("GET /findings", {}, "tier=9", None),
    ]  # fmt: skip


def steady(name: str, told: Any) -> Any:
    """An answer without what differs from run to run or with every change of a rule's text."""
    if isinstance(told, dict):
        return {k: "9f…" if k in HASHES else "…" if k == "prose" else steady(name, v)
                for k, v in told.items() if (name, k) != ("GET /board", "rate")}  # fmt: skip
    if isinstance(told, list):
        some = told[:2] if name in ("GET /rules", "GET /models") else told
        if name.endswith("/thresholds"):
            some = told[:6]  # a curve is long
        return [steady(name, one) for one in some]
    return told


def asked(small: Site, learned: Site) -> dict[str, Any]:
    """All examples, as they are answered now."""
    return answered(small, questions(small)) | answered(learned, of_learned(learned))


def answered(site: Site, told: list[Asked]) -> dict[str, Any]:
    """What a site answers to these questions."""
    found: dict[str, Any] = {}
    for name, values, query, body in told:
        method, path = name.split(" ")
        data = b"" if body is None else msgspec.json.encode(body)
        key = [(b"idempotency-key", b"k1"), (b"accept-language", b"en")]
        answer = site.ask(method, PREFIX + path.format(**values), query, data, key)
        held = found.setdefault(name, {"answers": {}})
        held["answers"][str(answer.status)] = steady(name, msgspec.json.decode(answer.body))
        if answer.status < 400:
            held |= {"path": values} if values else {}
            held |= {} if body is None else {"body": body}
    return found


@contextmanager
def sites() -> Iterator[tuple[Site, Site]]:
    with ExitStack() as ends:
        folders = [Path(ends.enter_context(tempfile.TemporaryDirectory())) for _ in range(2)]
        yield Small(folders[0], ends), Learned(folders[1], ends)


@pytest.fixture(scope="module")
def both():
    with sites() as told:
        yield told


@pytest.fixture(scope="module")
def site(both):
    return both[0]


@pytest.fixture(scope="module")
def described(site):
    return msgspec.json.decode(site.ask("GET", "/api/openapi.json").body)


def test_every_route_is_described(described):
    """With a name, a summary, its answers, and who may ask."""
    paths = {path.replace("{case_id}", "{case_id:path}") for path in described["paths"]}
    wanted = {path for _, path in PERMITS if path.startswith(PREFIX)}
    assert paths == wanted
    names = set()
    for path, operations in described["paths"].items():
        for method, one in operations.items():
            names.add(one["operationId"])
            assert one["summary"] and one["tags"] and {"400", "503"} <= set(one["responses"]), path
            assert ("401" in one["responses"]) == (one.get("security") != []), (method, path)
    assert len(names) == sum(map(len, described["paths"].values()))
    assert set(described["components"]["securitySchemes"]) == {"key", "session"}


def test_every_answer_in_json_has_an_example(described):
    """But for receipts, which each gateway words otherwise."""
    for path, operations in described["paths"].items():
        for method, one in operations.items():
            answers = [one for code, one in one["responses"].items() if code < "300"]
            kinds = [one["content"] for one in answers]
            if any("application/json" in kind for kind in kinds) and "receipts" not in path:
                assert any("example" in kind["application/json"] for kind in kinds), (method, path)
            if "application/json" in one.get("requestBody", {}).get("content", {}):
                assert one["requestBody"]["content"]["application/json"]["example"], path


def test_the_examples_are_what_is_answered(both):
    """Failing? Run `python tests/test_openapi.py` and commit what it writes."""
    assert asked(*both) == msgspec.json.decode(EXAMPLES.read_bytes())


if __name__ == "__main__":
    with sites() as told:
        EXAMPLES.write_bytes(
            msgspec.json.format(msgspec.json.encode(asked(*told)), indent=1) + b"\n"
        )
