"""Whatever is asked: no answer is a fault of ours, tells of our insides, or of another's
department."""

from __future__ import annotations

import json
import socket
import urllib.parse
from contextlib import nullcontext, suppress
from typing import Any

import httpx2
import msgspec
import pytest
import requests
import schemathesis
from fuzz_kit import SCOPED, SENDER, TRACE, Site, Told, county_site, leaks
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from web_kit import Served

from detector.notice import ACTS
from detector.web.permits import PERMITS
from detector.web.who import LOCAL_ADMIN

SOME = settings(
    max_examples=250, derandomize=True, deadline=None, database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
MANY = settings(SOME, max_examples=5_000, derandomize=False)
FORM = [(b"content-type", b"application/x-www-form-urlencoded")]
KINDS = (
    b"application/json", b"application/x-ndjson", b"text/plain", b"application/octet-stream",
    b"multipart/form-data", b"multipart/form-data; boundary=x", b"\xff/\xfe", b"",
    b"application/x-www-form-urlencoded; charset=utf-7",
)  # fmt: skip
ODD = (
    "", " ", "\0", "a\0b", "\r\nX-Odd: 1", "..", "../../etc/passwd", "..%2f..%2fetc%2fpasswd",
    "%00", "%", "%zz", "\u202e", "\ud800", "\udfff", "\ufeff", "\U0001f426", "黄雀", "'", '"',
    "' OR 1=1 --", "%' ESCAPE '", "<script>alert(1)</script>", "{{7*7}}", "{0.__class__}",
    "${7*7}", "-1", "0", "1", "4", "9" * 5, "9" * 19, "9" * 400, "1e999", "NaN", "-Infinity", "²",
    "٣", "1_0", "+1", "0x10", "true", "null", "[]", "{}", "2026-02-30", "9999-12-31",
    "0001-01-01", "2026-03-02T25:00:00", "2026-03-02T00:00:00+99:99", "x" * 129, "x" * 5_000,
    "D01", "D02", "3204",
    "320411", "stands", "open", "due", "permit", "WzEsImEiXQ==", "WzFlOTksMV0=",
)  # fmt: skip
NAMES = (
    "department", "rule", "tier", "level", "case_id", "operator", "state", "item", "subject",
    "from", "to", "cursor", "limit", "lang", "sort", "said", "done", "after", "q", "format",
    "last", "next",
)  # fmt: skip
FIELDS = (
    "act", "text", "reason", "until", "person", "decision", "confirmed", "external_cause",
    "once", "csrf", "notice", "back", "line", "id", "form", "actor", "subject", "subject_kind",
    "tier", "department", "at", "attachments",
)  # fmt: skip
HEADERS = (
    b"idempotency-key", b"if-none-match", b"last-event-id", b"cookie", b"authorization",
    b"accept-language", b"range", b"content-encoding", b"content-length", b"x-csrf-token",
)  # fmt: skip
words = st.one_of(st.sampled_from(ODD), st.text(max_size=30))
pairs = st.lists(st.tuples(st.one_of(st.sampled_from(NAMES), words), words), max_size=5)
people = st.sampled_from((LOCAL_ADMIN, SCOPED, SENDER))
NOWHERE = {307, 404, 405}  # a slash in a name leads to another route, or to none
MODES = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
PATHS = sorted({path for method, path in PERMITS if method == "GET"})
FORMS = sorted({path for method, path in PERMITS if method == "POST"})


@pytest.fixture(scope="module")
def site():
    yield from county_site()


def encoded(told: list[tuple[str, str]]) -> str:
    """Pairs as a query or form."""
    return urllib.parse.urlencode(told, errors="surrogatepass")


def place(site: Site, draw: Any, template: str) -> str:
    """An address: what is in braces is a name that exists, or anything."""
    row = draw(st.sampled_from((site.row, site.row, *site.rows)))
    finding = draw(st.sampled_from(sorted(site.findings)))
    case = site.findings[finding]["case_id"] or "c"
    real = {
        "finding_id": finding, "notice": row.notice_id, "case_id:path": case, "code": "D01",
        "person": site.findings[finding]["operator"] or "P0101", "rule": "too_fast_step",
        "learner": "pace",
        "kind": "csv", "token": site.token, "message": "a.1", "channel": "sms",
    }  # fmt: skip
    for name, told in real.items():
        if f"{{{name}}}" in template:
            odd = draw(st.one_of(st.none(), st.none(), words))
            quoted = odd is None or draw(st.booleans())
            text = told if odd is None else odd
            told = urllib.parse.quote(text, safe="", errors="surrogatepass") if quoted else text
            template = template.replace(f"{{{name}}}", told)
    return template


def check(site: Site, told: Told, scoped: bool, *asked: str | bytes) -> None:
    """No answer is a defect; none shows insides; none shows another's department."""
    assert told.status and (told.status < 500 or told.status in (501, 503)), told
    assert told.status != 503 or b"ledger" not in told.body, told
    assert not any(one in told.body for one in TRACE), told
    assert told.headers.get("x-odd") is None
    if told.headers.get("content-type", "").startswith("text/html"):
        assert b"<script>alert(1)" not in told.body and b"<img src=x" not in told.body, asked
    if told.status >= 400 and told.headers["content-type"].startswith("application/"):
        assert told.headers["content-type"] == "application/problem+json", told
        assert msgspec.json.decode(told.body)["status"] == told.status
    if scoped:
        assert leaks(site, told, *asked) == set()


def any_headers(draw: Any) -> list[tuple[bytes, bytes]]:
    """Headers that some route reads, with anything in them that a server lets through."""
    told = draw(
        st.lists(st.tuples(st.sampled_from(HEADERS), st.one_of(words, st.text())), max_size=2)
    )
    return [(name, "".join(c for c in text if c >= " ").encode("latin-1", "replace"))
            for name, text in told]  # fmt: skip


def any_page(site: Site, draw: Any) -> None:
    """GET of any route, with any query."""
    who, path = draw(people), place(site, draw, draw(st.sampled_from(PATHS)))
    query = draw(st.one_of(pairs.map(encoded), st.binary(max_size=40)))
    method, headers = draw(st.sampled_from(("GET", "GET", "HEAD"))), any_headers(draw)
    told = site.ask(method, path, query, b"", headers, who)
    check(site, told, who.departments is not None, path, query)


def any_form(site: Site, draw: Any) -> None:
    """POST of any route with a form, JSON, or anything."""
    who, path = draw(people), place(site, draw, draw(st.sampled_from(FORMS)))
    acts = st.tuples(st.just("act"), st.sampled_from(sorted(ACTS)))
    notice = st.tuples(st.just("notice"), st.sampled_from([row.notice_id for row in site.rows]))
    some = st.one_of(acts, notice, st.tuples(st.one_of(st.sampled_from(FIELDS), words), words))
    fields = draw(st.lists(some, max_size=8))
    kind = draw(st.sampled_from(("form", "form", "json", "deep", "bytes")))
    headers, body = bodies(kind, fields, draw)
    headers = headers + any_headers(draw)
    told = site.ask("POST", path, b"", body, headers, who)
    check(site, told, who.departments is not None, path, body)


def bodies(kind: str, fields: list[tuple[str, str]], draw: Any) -> tuple[list[Any], bytes]:
    """A body of a kind, with a content type that may be another's."""
    odd = [(b"content-type", draw(st.sampled_from(KINDS)))]
    if kind == "form":
        return draw(st.sampled_from((FORM, FORM, odd))), encoded(fields).encode()
    if kind == "json":
        whole: dict[str, Any] = dict(fields)
        values = st.one_of(words, st.none(), st.booleans(), st.floats(), st.integers(),
                           st.just([{}]), st.just({"a": "b"}))  # fmt: skip
        whole |= {name: draw(values) for name in draw(st.lists(st.sampled_from(FIELDS)))}
        return odd, json_of(whole)
    if kind == "deep":
        deep = draw(st.sampled_from((10, 1_100, 30_000)))
        begin, end = draw(st.sampled_from(((b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]"))))
        return odd, begin * deep + draw(st.sampled_from((b"", b"1" + end * deep)))
    return odd, draw(st.binary(max_size=200))


def json_of(told: Any) -> bytes:
    """JSON as a careless sender writes it: lone surrogates are escaped, NaN is NaN."""
    return json.dumps(told).encode()


@SOME
@given(st.data())
def test_any_page_and_any_query(site, data):
    any_page(site, data.draw)


@SOME
@given(st.data())
def test_any_form_and_any_body(site, data):
    any_form(site, data.draw)


# --- by the interface's own description -----------------------------------------------------------


def operations(site: Site) -> list[Any]:
    """What the description holds, as schemathesis reads it."""
    schema = schemathesis.openapi.from_dict(site.app.openapi())
    found: list[Any] = list(schema.get_all_operations())
    return [one.ok() for one in found]


def sent(site: Site, case: Any, who: Any) -> tuple[Told, Any]:
    """One case of schemathesis, asked in this process."""
    kwargs = case.as_transport_kwargs(base_url="http://localhost")
    kwargs.pop("cookies", None)
    request = requests.Request(**kwargs).prepare()
    path, _, query = (request.url or "").removeprefix("http://localhost").partition("?")
    body: Any = request.body or b""
    body = body.encode() if isinstance(body, str) else body
    headers = [(k.lower().encode(), v.encode("latin-1") if isinstance(v, str) else v)
               for k, v in request.headers.items()]  # fmt: skip
    told = site.ask(case.method.upper(), path, query, body, headers, who)
    return told, (path, query, body)


def described(site: Site, examples: int) -> None:
    """Every operation, with what its description allows and with what it does not."""
    for operation in operations(site):
        for mode in MODES:
            strategy = operation.as_strategy(generation_mode=mode)

            @settings(SOME, max_examples=examples)
            @given(case=strategy, who=people)
            def ask(case: Any, who: Any) -> None:
                told, asked = sent(site, case, who)
                check(site, told, who.departments is not None, *asked)
                named = {int(one) for one in case.operation.definition.raw["responses"]}
                assert told.status in named | NOWHERE, (case, told)

            # where every text is allowed there is nothing that is not
            with suppress(Unsatisfiable) if mode is MODES[1] else nullcontext():
                ask()


def test_what_is_described_answers_as_it_is_described(site):
    described(site, 6)


@pytest.mark.prove
@MANY
@given(st.data())
def test_any_page_and_any_form_at_length(site, data):
    data.draw(st.sampled_from((any_page, any_form)))(site, data.draw)


def test_what_nests_too_deep_is_refused(site):
    """By every route that reads JSON, of everybody, and the page that shows refused lines."""
    deep = b'{"a":' * 1_100 + b"1" + b"}" * 1_100
    acts = f"/api/v1/notices/{site.row.notice_id}/acts"
    for path in ("/api/v1/events", "/api/v1/notices", acts, "/quality"):
        for who in (LOCAL_ADMIN, SCOPED, SENDER):
            for body in (deep, b"[" + deep + b"]", b"[" * 5_000, b"line=" + deep):
                check(site, site.ask("POST", path, b"", body, FORM, who), False)
    check(site, site.ask("GET", "/quality"), False)


OF_OTHERS = ("/findings/{}", "/notices/{}", "/cases/{}", "/api/v1/findings/{}",
             "/api/v1/notices/{}", "/api/v1/cases/{}", "/api/v1/notices/{}/attachments",
             "/api/v1/notices/{}/document", "/search?q={}")  # fmt: skip


def test_nothing_of_another_department_is_told_apart_from_nothing(site):
    """Asked by its name it is answered as what does not exist, and no search or list names it."""
    for template in OF_OTHERS:
        for name in [*sorted(site.foreign)[::97], "nothing"]:
            path, _, query = template.format(urllib.parse.quote(name, safe="")).partition("?")
            told = site.ask("GET", path, query, who=SCOPED)
            assert told.status == (200 if query else 404) or "document" in path, (path, told)
            assert leaks(site, told, path, query) == set()
    for name in sorted(site.foreign)[::97]:
        told = site.ask("GET", "/search", f"q={urllib.parse.quote(name[:5])}", who=SCOPED)
        assert leaks(site, told) == set(), name


def test_what_leaks_is_noticed(site):
    """The whole district's eyes see in the same answers what the check looks for."""
    for path in ("/findings", "/notices", "/api/v1/findings", "/api/v1/notices"):
        told = site.ask("GET", path, who=LOCAL_ADMIN)
        assert leaks(site, told), path
        with pytest.raises(AssertionError):
            check(site, told, True)
    with pytest.raises(AssertionError):
        check(site, Told(500, {}, b""), False)


# --- through a socket -----------------------------------------------------------------------------

RAW = (
    b"GET /api/v1/findings?rule=\xff\xfe HTTP/1.1", b"GET /find\xffings HTTP/1.1",
    b"GET /\x00 HTTP/1.1", b"GET /%00 HTTP/1.1", b"GET /static/..%2f..%2fpyproject.toml HTTP/1.1",
    b"GET /static/%2e%2e/%2e%2e/pyproject.toml HTTP/1.1", b"GET //evil.example/ HTTP/1.1",
    b"GET http://evil.example/ HTTP/1.1", b"GET /../../etc/passwd HTTP/1.1",
    b"GET /static/\\..\\..\\x HTTP/1.1", b"POST /api/v1/events HTTP/1.1\r\nContent-Length: -1",
    b"POST /api/v1/events HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 9",
    b"POST /api/v1/events HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\nz",
    b"BREW /coffee HTTP/1.1", b"PUT /api/v1/findings HTTP/1.1", b"GET / HTTP/9.9", b"\x16\x03\x01",
)  # fmt: skip


@pytest.fixture(scope="module")
def served():
    with Served() as one:
        yield one


@pytest.mark.parametrize("head", RAW)
def test_what_no_client_sends(served, head):
    """It is refused, or the connection ends; the server goes on."""
    with served.connect() as sock:
        sock.sendall(head + b"\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        sock.shutdown(socket.SHUT_WR)
        told = b"".join(iter(lambda: sock.recv(65_536), b""))
    assert not told or 400 <= int(told.split(b" ", 2)[1]) < 500, told
    assert not any(one in told for one in (*TRACE, b"hatchling", b"root:")), told
    assert httpx2.get(f"{served.url}/healthz").status_code == 200
