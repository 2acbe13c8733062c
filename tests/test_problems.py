"""Every error is said in Chinese and in English; what programs read is the same in both."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest
from conftest import ROOT
from test_web import House

from detector.event import Event, Reading, Refused
from detector.ledger import Refusal, Work
from detector.live import Answer, Fault, Unavailable, Unjudged, Unreadable
from detector.web.problems import Problem
from detector.web.said import OTHER, Said
from detector.web.words import LANGUAGES, LOCALES, catalogue, language_of
from detector.workcalendar import Zone

DETECTOR = ROOT / "detector"
HAN = re.compile(r"[一-鿿]")
V1 = "/api/v1"
OWN = {"retry_after_s", "close"}
# Who says, in English, what a problem passes on: files with the calls that say it.
SPEAKERS = {
    "event.py": ("Refused",), "lines.py": ("Refused",), "values.py": ("ValueError",),
    "beforehand.py": ("Refused",), "front_gate.py": ("Refused", "Unjudged", "LedgerError"),
    "front.py": ("Unavailable",), "cluster/shards.py": ("ValueError",),
    "live/intake.py": ("Unreadable", "refuse"),
    "live/runner.py": ("Unavailable",), "live/arrivals.py": ("Unavailable",),
    "live/limits.py": ("ValueError",), "live/switch.py": ("ValueError",),
    "cluster/gate.py": ("Unavailable",), "documents/pdf.py": ("NoPrinter",),
    "adapters/sms_receipts.py": ("ValueError",), "adapters/robots.py": ("ValueError",),
    "adapters/log_channel.py": ("ValueError",), "adapters/sms_http.py": ("ValueError",),
    "adapters/webhook.py": ("ValueError",), "ledger/sqlite.py": ("Busy",),
    "web/beforehand.py": ("Unjudged",), "live/asked.py": ("Unjudged",),
}  # fmt: skip
PLACES = {"Refused": 1, "refuse": 4}  # which argument says it; the first, where not named


def calls(text: str, *names: str) -> Iterator[ast.Call]:
    """The calls of these names in a module."""
    for one in ast.walk(ast.parse(text)):
        if isinstance(one, ast.Call) and isinstance(one.func, ast.Name) and one.func.id in names:
            yield one


def mistakes(text: str) -> list[str]:
    """What is wrong with the problems that a module raises."""
    found = []
    for one in calls(text, "Problem"):
        code = str(one.args[1].value) if isinstance(one.args[1], ast.Constant) else None
        key, values = f"problem.{code}", {str(k.arg) for k in one.keywords} - OWN
        for lang in LANGUAGES:
            said = catalogue(lang).get(key)
            if said is None:
                found.append(f"line {one.lineno}: {lang} lacks {key}")
            elif {name for _, name, _, _ in Formatter().parse(said) if name} != values:
                found.append(f"line {one.lineno}: {lang}: {key} has other places for values")
        if isinstance(one.args[0], ast.Constant):
            title = f"problem.title.{one.args[0].value!r}"
            found += [f"{lang} lacks {title}" for lang in LANGUAGES if title not in catalogue(lang)]
    return found


def raisers() -> dict[Path, str]:
    """The modules that raise problems."""
    held = {path: path.read_text() for path in DETECTOR.rglob("*.py")}
    ours = re.compile(r"\bweb\.problems\b|class Problem\(Exc")
    return {path: text for path, text in held.items() if ours.search(text)}


def sentences(text: str, *names: str) -> Iterator[str]:
    """What calls say, with a value in each of its places."""
    for one in calls(text, *names):
        assert isinstance(one.func, ast.Name)
        place = PLACES.get(one.func.id, 0)
        if place < len(one.args):  # `Refused(*told)`: said before
            yield from written(one.args[place])


def written(said: ast.expr) -> Iterator[str]:
    """The text of an expression that writes one out."""
    if isinstance(said, ast.Constant):
        yield str(said.value)
    elif isinstance(said, ast.JoinedStr):
        yield "".join(str(p.value) if isinstance(p, ast.Constant) else "7" for p in said.values)


def pairs(text: str) -> Iterator[str]:
    """What is said in pairs of a field and what is wrong with it."""
    for one in ast.walk(ast.parse(text)):
        if isinstance(one, ast.Tuple) and len(one.elts) in (2, 3):
            field, said = one.elts[-2:]
            if isinstance(field, ast.Constant) and field.value in Event.__struct_fields__:
                yield from written(said)


def test_every_problem_has_words_in_both_languages():
    modules = raisers()
    wrong = {str(p): told for p, text in modules.items() if (told := mistakes(text))}
    assert wrong == {} and len(modules) > 35


@pytest.mark.parametrize(("subject", "why"), [
    ('Problem(404, "no_unicorn")', "zh lacks problem.no_unicorn"),
    ('Problem(400, "time_unread", name="at")', "other places"),
    ('Problem(404, "no_finding", n=1)', "other places"),
    ('Problem(404, f"there is no {what}")', "zh lacks problem.None"),
    ('Problem(418, "no_finding")', "zh lacks problem.title.418"),
])  # fmt: skip
def test_a_problem_without_words_is_found(subject, why):
    assert any(why in told for told in mistakes(subject))


def test_no_words_are_left_that_no_problem_says():
    said = {c.args[1].value for t in raisers().values() for c in calls(t, "Problem")
            if isinstance(c.args[1], ast.Constant)}  # fmt: skip
    keys = {k.removeprefix("problem.") for k in catalogue("zh") if k.startswith("problem.")}
    assert {k for k in keys if not k.startswith("title.")} == said


def test_what_the_engine_says_is_known_in_chinese():
    unknown, count = [], 0
    for name, how in SPEAKERS.items():
        for told in sentences((DETECTOR / name).read_text(), *how):
            count += 1
            if not HAN.search(Said(told).in_("zh")) or Said(told).in_("en") != told:
                unknown.append(f"{name}: {told}")
    assert unknown == [] and count > 60
    assert Said("the moon is full").in_("zh") == "the moon is full"  # nobody's: as it is


def refusals() -> list[str]:
    """What a line may be refused with: everything that is written down where lines are read."""
    told: list[str] = []
    for name in ("event.py", "lines.py", "values.py", "live/intake.py"):
        told += sentences((DETECTOR / name).read_text(), *SPEAKERS[name])
    for name in ("engine.py", "corrections.py"):
        told += pairs((DETECTOR / name).read_text())
    zone = Zone("Asia/Shanghai")
    told += [one.too_far for one in (Reading(zone), Reading(zone, 30), Reading(zone, 30, 0))]
    return told


def test_a_sentence_is_said_by_the_pattern_that_says_most():
    assert Said("is missing: urge needs it").in_("zh") == "缺失：urge 需要此项"
    assert Said("is longer than 80 characters or no valid text").in_("zh").startswith("超过 80 个")
    assert Said("state.issued").in_("zh") == catalogue("zh")["state.issued"]


@pytest.mark.parametrize(("header", "cookie", "lang"), [
    ("", "", "zh"), ("en", "", "en"), ("en-GB,en;q=0.9,zh;q=0.8", "", "en"),
    ("zh-CN,zh;q=0.9,en;q=0.8", "", "zh"), ("fr, en;q=0.1", "", "en"), ("fr", "", "zh"),
    ("fr", "lang=en", "en"), ("zh", "lang=en", "zh"), ("", "lang=en", "en"), ("en;q=0", "", "zh"),
    ("en;q=nan, zh;q=0.5", "", "zh"), ("en;q=１", "", "zh"), (";;,,q=;", "lang=xx", "zh"),
])  # fmt: skip
def test_the_language_is_that_which_the_request_asks_for(header, cookie, lang):
    headers = [(b"accept-language", header.encode()), (b"cookie", cookie.encode())]
    assert language_of({"type": "http", "headers": headers, "query_string": b""}) == lang


# --- over HTTP ------------------------------------------------------------------------------------


@pytest.fixture
def house():
    with House(body_bytes_max=2_000) as one:
        yield one


ASKED = (
    ("GET", f"{V1}/findings/none", 404), ("GET", f"{V1}/nowhere", 404),
    ("PUT", f"{V1}/events", 405),
    ("GET", f"{V1}/findings?tier=9", 400), ("GET", f"{V1}/findings?tier=x", 400),
    ("GET", f"{V1}/findings?limit=0", 400), ("GET", f"{V1}/findings?limit={'9' * 5000}", 400),
    ("GET", f"{V1}/findings?rule={'r' * 200}", 400), ("GET", f"{V1}/findings?from=x", 400),
    ("GET", f"{V1}/findings?color=red", 400), ("GET", f"{V1}/findings?cursor=x", 400),
    ("POST", f"{V1}/events", 413),
    ("POST", f"{V1}/notices/none/acts", 404), ("GET", f"{V1}/refusals?cursor={1 << 63}", 400),
)  # fmt: skip


@pytest.mark.parametrize(("method", "path", "status"), ASKED)
def test_a_problem_is_said_as_the_request_asks(house, method, path, status):
    body = b"[" * 3_000 if path.endswith("/events") and method == "POST" else b"{}"
    told = {}
    for lang in LANGUAGES:
        headers = {"accept-language": f"fr, {lang};q=0.5"}
        answer = house.client.request(
            method, path, headers=headers, content=body if method == "POST" else None
        )
        assert answer.status_code == status, answer.text
        assert answer.headers["content-language"] == LOCALES[lang]
        assert "Accept-Language" in answer.headers["vary"]
        told[lang] = answer.json()
    zh, en = told["zh"], told["en"]
    for name in ("type", "status", "code"):
        assert zh[name] == en[name]
    for name in ("title", "detail"):
        assert HAN.search(zh[name]) and not HAN.search(en[name]), (zh, en)
    assert (
        "rrr" not in zh["detail"] and "999" not in zh["detail"]
    )  # what was sent is not said again


def test_without_a_wish_it_is_chinese(house):
    del house.client.headers["accept-language"]
    answer = house.get(f"{V1}/findings/none")
    assert answer.json()["detail"] == "没有这条预警"
    assert answer.headers["content-language"] == "zh-CN"


@pytest.mark.parametrize(("fault", "status", "zh"), [
    (Unavailable("the queue is full", 429, 1), 429, "队列已满"),
    (Unavailable("the ledger is locked by another process; end it, or wait"), 503, "账本"),
    (Unreadable("the body begins as a JSON array and is none of objects"), 400, "数组"),
])  # fmt: skip
def test_what_the_service_could_not_do_is_said_too(house, fault, status, zh):
    house.service.refuse = fault
    for lang in LANGUAGES:
        answer = house.send(b"{}", headers={"accept-language": lang})
        assert answer.status_code == status
        said = answer.json()["detail"]
        assert zh in said if lang == "zh" else said == str(fault)


def test_a_field_at_fault_keeps_its_name_and_its_reason_is_said(house):
    house.service.beforehand.answer = Refused("action", "is missing")
    told = house.client.post(f"{V1}/gate", content=b"{}", headers={"accept-language": "zh"}).json()
    assert (told["field"], told["error"], told["detail"]) == ("action", "缺失", "action：缺失")


def test_every_refusal_is_answered_in_both_languages(house):
    kinds = refusals()
    assert len(kinds) > 40 and "names no event of this case" in kinds
    house.service.answer = Answer(0, 0, [Fault(n, "f", one) for n, one in enumerate(kinds, 1)])
    told = {}
    for lang in LANGUAGES:
        answer = house.send(b"{}", headers={"accept-language": lang})
        assert answer.headers["content-language"] == LOCALES[lang]
        told[lang] = answer.json()["refused"]
    assert [one["error"] for one in told["en"]] == kinds
    for zh, en in zip(told["zh"], told["en"], strict=True):
        assert HAN.search(zh["error"]) and {**zh, "error": ""} == {**en, "error": ""}
        assert en["code"] != OTHER, en
    del house.client.headers["accept-language"]
    assert house.send(b"{}").json()["refused"] == told["zh"]


def test_what_nobody_has_words_for_is_answered_as_it_is(house):
    house.service.answer = Answer(1, 0, [Fault(1, "f", "the moon is full")])
    told = house.send(b"{}", headers={"accept-language": "zh"}).json()
    assert told == {"accepted": 1, "duplicates": 0, "refused": [
        {"line": 1, "field": "f", "code": OTHER, "error": "the moon is full"}]}  # fmt: skip


def test_refused_lines_are_listed_in_both_languages(house):
    ledger = house.service.ledger
    work = Work(refusals=[Refusal(1, 1, "action", "is missing", "{}")])
    ledger.commit(ledger.position(), work)
    for lang, error in (("zh", "缺失"), ("en", "is missing")):
        answer = house.get(f"{V1}/refusals", headers={"accept-language": lang})
        [one] = answer.json()["items"]
        assert (one["code"], one["error"], one["text"]) == ("absent", error, "{}")
        assert answer.headers["content-language"] == LOCALES[lang]


@pytest.mark.parametrize(("why", "code", "zh"), [
    ("the engine is stopped", "gate_engine", "判定引擎状态为 stopped"),
    ("too many ask at once", "gate_asking", "同时查询过多"),
    ("shard case-0: no worker has it now", "shard", "分片 case-0：目前没有工作进程负责"),
    ("shard case-0: the worker cannot be reached", "shard", "分片 case-0：无法连接工作进程"),
    ("shard case-0: the engine is stopped", "shard", "分片 case-0：判定引擎状态为 stopped"),
])  # fmt: skip
def test_the_gate_says_why_nobody_could_judge(house, why, code, zh):
    house.service.beforehand.answer = Unjudged(why)
    for lang, reason in (("zh", zh), ("en", why)):
        headers = {"accept-language": lang}
        told = house.client.post(f"{V1}/gate", content=b"{}", headers=headers).json()
        assert (told["decided_by"], told["code"], told["reason"]) == ("failure", code, reason)


def test_the_gate_says_why_an_event_would_not_be_taken(house):
    text = b'{"allow":false,"text":"\\"refused\\":","refused":%b}'
    house.service.beforehand.answer = text % b'{"field":"event_id","error":"conflicting_duplicate"}'
    for lang, error in (("zh", "编号相同"), ("en", "conflicting_duplicate")):
        headers = {"accept-language": lang}
        told = house.client.post(f"{V1}/gate", content=b"{}", headers=headers).json()
        assert told["refused"]["code"] == "conflict" and error in told["refused"]["error"]
        assert told["text"] == '"refused":' and told["allow"] is False


def test_in_a_log_a_problem_is_its_code():
    assert str(Problem(404, "no_finding")) == "no_finding"
