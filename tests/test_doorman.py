"""Who may what: every route with every role, and what somebody tries who may not."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from typing import Any

import pytest
from accounts_kit import DAY_US, GOOD, HOUR_US, MINUTE_US
from court_kit import IDENTITY, MARK, PHONE, V1, Court, csrf_in, lines
from hypothesis import given
from hypothesis import strategies as st
from live_kit import ACCEPT, SURVEY
from starlette.routing import Route

from detector.web import permits
from detector.web.doorman import safe_next
from detector.web.permits import ANYBODY, NEAR, OPEN, PERMITS, Permit, unpermitted
from detector.web.scopes import hidden, need_sendable
from detector.web.who import GIVEN, LEAD, ROLES, SYSTEM, Who

ALL = sorted(PERMITS)
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture
def court(tmp_path):
    with Court(tmp_path) as one:
        yield one


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    """One for all questions that change nothing but what a refusal does not."""
    with Court(tmp_path_factory.mktemp("town")) as one:
        for role in GIVEN:
            one.kit.settled(role, role)
        one.foreign = {
            role: one.account(f"{role}.d02", role, departments=("D02",)) for role in GIVEN
        }
        one.own = {role: one.account(f"{role}.d01", role, departments=("D01",)) for role in GIVEN}
        yield one


def address(court: Court, template: str) -> str:
    """A route's address of something that there is."""
    names = {
        "finding_id": court.finding, "notice": court.notice, "case_id:path": MARK, "code": "D01",
        "person": "P0101", "rule": "too_fast_step", "kind": "csv", "path:path": "answer.css",
        "learner": "pace",
        "token": "x", "name": "nobody", "key_id": "none", "message": "none", "channel": "none",
        "sha256": "0" * 64,
    }  # fmt: skip
    for name, value in names.items():
        template = template.replace(f"{{{name}}}", value)
    assert "{" not in template, template
    return template


def asked(browser: Any, court: Court, method: str, template: str, **told: Any) -> Any:
    """The answer to a request; of a stream to its head alone."""
    path = address(court, template)
    if method == "GET":
        ends = path.endswith(("/stream", "/board/events"))
        return browser.request("HEAD" if ends else "GET", path, **told)
    return browser.request(method, path, **({"json": {}} if "data" not in told else {}) | told)


def refused(answer: Any) -> bool:
    """It was not let in: at the door, or sent to the login."""
    to = answer.headers.get("location", "")
    return answer.status_code in (401, 403) or to.startswith("/login")


def permitted(permit: Permit, role: str) -> bool:
    if permit.powers in ((OPEN,), (ANYBODY,)):
        return True
    powers = (SYSTEM,) if permit.powers == (NEAR,) else permit.powers
    return any(power in ROLES[role] for power in powers)


# --- every route, every role ----------------------------------------------------------------------


def test_every_route_has_its_row_and_every_row_its_route(town):
    assert unpermitted(town.app.routes) == []
    known = set(permits.asked(town.app.routes))
    missing = {one for one in PERMITS if one not in known}
    assert missing <= {("GET", "/login/oidc"), ("GET", "/login/oidc/back")}


def test_a_route_without_a_row_is_refused_to_everybody(court):
    court.app.router.routes.insert(0, Route("/new", lambda request: None))
    court.app.router.routes.insert(0, Route("/any", type("Any", (), {"__call__": None})()))
    assert unpermitted(court.app.routes) == [("ANY", "/any"), ("GET", "/new")]
    assert court.client.get("/new").status_code == 403  # the local administrator, even
    assert court.account("li", "centre").get("/new").status_code == 403


@pytest.mark.parametrize(("method", "template"), ALL, ids=lambda told: str(told))
def test_every_route_with_every_role(town, method, template, capsys):
    """The table is the law: who has one of a route's powers comes through the door, nobody else.
    All show their csrf token, so that this is not what is refused."""
    permit = PERMITS[method, template]
    if template.startswith("/login/oidc"):
        pytest.skip("only where there is a provider: tests/test_oidc.py")
    if (method, template) == ("POST", "/login"):
        pytest.skip("asks by itself")
    told = {}
    for role in GIVEN:
        browser = town.browser()
        browser.cookies.set("oriole", town.kit.desk.login(role, GOOD, town.kit.came())[0])
        token = csrf_in(browser.get("/account"))
        shown: dict[str, Any] = {"headers": {"x-csrf-token": token}}
        if permit.form:
            shown = {"data": {"csrf": token, "act": "none"}}
        answer = asked(browser, town, method, template, **shown)
        may = permitted(permit, role)
        home = (
            template in ("/", "/logout") and answer.status_code == 303
        )  # sent to a page of theirs
        told[role] = "yes" if may else "no"
        assert refused(answer) is not may or home, (role, answer.status_code, answer.text)
        assert answer.status_code < 500 or answer.status_code == 501, answer.text
    nobody = asked(town.browser(), town, method, template)
    open_ = permit.powers == (OPEN,)
    assert open_ or refused(nobody), nobody.status_code
    if method == "GET" and not open_ and not template.startswith(("/api", "/readyz", "/metrics")):
        assert nobody.status_code == 303
    with capsys.disabled():
        row = " ".join(f"{role}:{may}" for role, may in told.items())
        print(f"\n{method:5} {template:40} nobody:{'yes' if open_ else 'no'} {row}", end="")


@pytest.mark.parametrize("template", [t for m, t in ALL if m == "GET" and "oidc" not in t])
def test_nobody_sees_what_is_of_a_foreign_department(town, template):
    """The case, its findings and its notice bear a mark: whoever sees D02 alone never reads it. One
    who sees D01 does, of the same address."""
    seen = []
    for role, browser in town.foreign.items():
        answer = asked(browser, town, "GET", template)
        assert MARK not in answer.text.replace(address(town, template), ""), (role, answer.text)
        assert town.finding not in answer.text.replace(address(town, template), "")
        own = asked(town.own[role], town, "GET", template)
        seen.append(MARK in own.text)
    marked = ("findings", "cases", "notices", "departments/{code}", "export")
    if any(one in template for one in marked) and "attachments" not in template:
        assert any(seen), "the law looks at nothing here"


@pytest.mark.parametrize("asked_for", ["case", "prefix", "notice", "finding"])
def test_nobody_finds_what_is_of_a_foreign_department(town, asked_for):
    told = {"case": MARK, "prefix": MARK[:-1], "notice": town.notice, "finding": town.finding}
    answer = town.foreign["auditor"].get("/search", params={"q": told[asked_for]})
    assert answer.status_code == 200 and f"/cases/{MARK}" not in answer.text
    own = town.own["auditor"].get("/search", params={"q": told[asked_for]})
    assert own.status_code == 303 or f"/cases/{MARK}" in own.text


@pytest.mark.parametrize("role", ["supervisor", "centre", "leader"])
def test_nobody_acts_on_what_is_of_a_foreign_department(town, role):
    browser, told = town.foreign[role], {"text": "x", "reason": "x", "until": "2027-01-01"}
    token = {"x-csrf-token": csrf_in(browser.get("/account"))}
    for act in ("acknowledge", "answer", "urge", "withdraw", "exempt"):
        body = {"act": act} | told
        answer = browser.post(f"{V1}/notices/{town.notice}/acts", json=body, headers=token)
        assert answer.status_code == 404
        form = {"act": act, "csrf": token["x-csrf-token"]} | told
        assert browser.post(f"/notices/{town.notice}", data=form).status_code in (403, 404)
    order = {"subject": MARK, "department": "D01", "tier": 2, "text": "x"}
    if LEAD in ROLES[role]:
        assert browser.post(f"{V1}/notices", json=order, headers=token).status_code == 403
    state = town.client.get(f"{V1}/notices/{town.notice}", headers=town.key("reads")).json()
    assert {one["actor"] for one in state["history"]} == {"oriole"}


def test_lists_show_several_departments_of_ones_own_and_no_more(court):
    both = court.account("both", "supervisor", departments=("D01", "D02"))
    other = court.account("other", "supervisor", departments=("D02", "D03"))
    for path in ("findings", "notices"):
        assert both.get(f"{V1}/{path}").json()["items"]
        assert both.get(f"{V1}/{path}?department=D02").json()["items"] == []
        assert both.get(f"{V1}/{path}?department=D01").json()["items"]
        assert other.get(f"{V1}/{path}").json()["items"] == []
        assert other.get(f"{V1}/{path}?department=D01").json()["items"] == []
    assert both.get(f"{V1}/counts").json()["findings"]["standing"]
    assert not any(other.get(f"{V1}/counts").json()["findings"].values())


def actors(court: Court) -> list[str]:
    """Who moved the notice, in order; a tick later."""
    court.minute += 1
    court.tick(f"09:{court.minute}:00")
    return [one.actor for one in court.live.ledger.notice_steps(court.notice)]


def test_acts_are_ones_own_to_do_and_ones_own_name_stands_there(court):
    supervisor = court.account("su", "supervisor", departments=("D01",), person="S0101")
    leader = court.account("le", "leader")
    path = f"{V1}/notices/{court.notice}/acts"

    def act(browser: Any, **told: Any) -> Any:
        token = {"x-csrf-token": csrf_in(browser.get("/account"))}
        return browser.post(path, json=told, headers=token)

    assert act(supervisor, act="urge", text="x").status_code == 403
    assert act(leader, act="acknowledge").status_code == 403
    for browser, name, actor in ((supervisor, "acknowledge", "S0101"), (leader, "urge", "le")):
        assert act(browser, act=name, text="x", actor="somebody else").status_code == 200
        assert actors(court)[-1] == actor
    deeds = [(one.actor, one.object, one.outcome) for one in court.kit.audit.all()]
    assert ("su", path, "403") in deeds and ("su", path, "200") in deeds


def test_only_the_key_of_a_system_that_leads_speaks_for_others(court):
    leads = court.key("oa", "centre", powers=("see", "lead", "answer"))
    answers = court.key("bot", "centre", powers=("see", "answer"))
    for header, actor in ((answers, "key:bot"), (leads, "S0101")):
        told = {"act": "acknowledge", "actor": "S0101"}
        path = f"{V1}/notices/{court.notice}/acts"
        assert court.client.post(path, json=told, headers=header).status_code == 200
        assert actors(court)[-1] == actor
        urge = {"act": "urge", "text": "x"}
        assert court.client.post(path, json=urge, headers=leads).status_code == 200
        assert actors(court)[-1] == "key:oa"


# --- the live stream ------------------------------------------------------------------------------


class Watching:
    """An open stream of somebody's, as far as it was sent."""

    def __init__(self, court: Court, cookie: str, last: str = "") -> None:
        self.text, self.ended, self.changed = "", False, threading.Condition()
        headers = [(b"host", b"localhost"), (b"cookie", f"oriole={cookie}".encode())]
        if last:
            headers.append((b"last-event-id", last.encode()))
        self.scope = {
            "type": "http", "method": "GET", "path": f"{V1}/stream", "query_string": b"",
            "headers": headers, "scheme": "http", "client": ("127.0.0.1", 1), "root_path": "",
            "raw_path": b"", "http_version": "1.1", "server": ("localhost", 80),
        }  # fmt: skip
        assert court.client.portal is not None
        self.task = court.client.portal.start_task_soon(self._run, court.app)
        self.until("retry:")

    async def _run(self, app: Any) -> None:
        async def receive() -> dict[str, str]:
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: dict[str, Any]) -> None:
            with self.changed:
                self.text += message.get("body", b"").decode()
                self.ended = message["type"].endswith("body") and not message.get("more_body")
                self.changed.notify_all()

        await app(self.scope, receive, send)

    def until(self, text: str) -> None:
        """Wait until it was sent."""
        with self.changed:
            assert self.changed.wait_for(lambda: text in self.text, 20), self.text

    def last(self) -> str:
        """The id that a browser would come back with."""
        with self.changed:
            return re.findall(r"^id: (.*)$", self.text, flags=re.MULTILINE)[-1]


def fast_case(case: str, department: str) -> list[dict[str, Any]]:
    """Two events that raise a finding at once."""
    told = {"case_id": case, "department": department, "title": f"{case} {PHONE}"}
    return [ACCEPT | told, SURVEY | told]


def test_a_stream_shows_each_viewer_what_is_theirs(court):
    desk = court.kit.desk
    court.kit.settled("all", "centre")
    court.kit.settled("two", "supervisor", departments=("D02",))
    tokens = {name: desk.login(name, GOOD, court.kit.came())[0] for name in ("all", "two")}
    every, two = (Watching(court, tokens[name]) for name in ("all", "two"))
    begun = every.last()
    court.live.post(*fast_case("caseD01", "D01"))
    court.live.post(*fast_case("caseD02", "D02"))
    every.until("caseD02")
    two.until("caseD02")
    assert "caseD01" in every.text and "caseD01" not in two.text and MARK not in two.text
    assert two.last() == every.last()  # what was left out left its id
    again = Watching(court, tokens["two"], begun)  # from the ring, or the ledger
    again.until("caseD02")
    assert "caseD01" not in again.text
    # a correction withdraws the finding of D01: nothing of that is told to D02 either
    wrong = court.live.findings()
    gone = next(f.finding_id for f in wrong.values() if f.case_id == "caseD01")
    later = {"event_id": "e3", "supersedes": "e2", "recorded_at": "2026-03-02T11:00:00+08:00"}
    court.live.post(fast_case("caseD01", "D01")[1] | later)
    every.until('"reason":"corrected"')
    court.live.post(*fast_case("lastD02", "D02"))
    two.until("lastD02")
    assert gone in every.text and gone not in two.text
    court.live.post(fast_case("caseD02", "D02")[1] | later)
    two.until('"reason":"corrected"')  # of their own finding they are told


def test_a_stream_ends_with_the_session(tmp_path):
    with Court(tmp_path, still_s=0.02) as court:
        viewer = Watching(court, court.kit.settled("li", "centre"))
        court.kit.registrar.disable("li", True, "test", court.kit.came())
        with viewer.changed:
            assert viewer.changed.wait_for(lambda: viewer.ended, 20)


# --- coming in ------------------------------------------------------------------------------------


def test_until_there_is_an_account_or_key_everybody_is_the_local_administrator(court):
    assert court.client.get(f"{V1}/findings").status_code == 200
    court.key("feed")
    assert court.client.get(f"{V1}/findings").status_code == 401
    assert court.client.get("/findings").headers["location"] == "/login?next=%2Ffindings"


def test_beyond_loopback_nobody_is_the_local_administrator(tmp_path):
    with Court(tmp_path, {"alone": False}) as court:
        answer = court.client.get(f"{V1}/findings")
        assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer"


def test_the_login_from_the_first_password_to_the_page_that_was_wanted(court):
    given_out = court.kit.add("li", "centre")
    browser = court.browser()
    page = browser.get("/login?next=/findings?tier=2")
    assert page.status_code == 200 and 'value="/findings?tier=2"' in page.text
    answer = court.login(browser, "li", "wrong password")
    assert answer.status_code == 401 and "set-cookie" not in answer.headers
    answer = court.login(browser, "li", given_out, next="/findings?tier=2")
    assert answer.status_code == 303
    to = answer.headers["location"]
    assert to == "/login/password?next=%2Ffindings%3Ftier%3D2"
    assert browser.get("/findings").headers["location"] == "/login/password"
    assert browser.get(f"{V1}/findings").status_code == 401
    form = {"csrf": csrf_in(browser.get(to)), "next": "/findings?tier=2"}
    bad = browser.post("/login/password", data=form | {"new": "short", "again": "short"})
    assert bad.status_code == 400
    done = browser.post("/login/password", data=form | {"new": GOOD, "again": GOOD})
    assert done.headers["location"] == "/findings?tier=2"
    assert browser.get("/findings?tier=2").status_code == 200
    out = browser.post("/logout", data={"csrf": csrf_in(browser.get("/account"))})
    assert out.headers["location"] == "/login"
    assert browser.get("/findings").status_code == 303


def test_the_cookie_is_the_browsers_alone(court):
    court.kit.settled("li", "centre")
    told = court.login(court.browser(), "li").headers["set-cookie"]
    assert told.startswith("oriole=") and "Secure" not in told
    assert "HttpOnly" in told and "SameSite=lax" in told and "Path=/" in told


def test_by_https_the_cookie_is_bound_to_the_host(tmp_path):
    with Court(tmp_path, {"public_url": "https://localhost"}) as court:
        court.kit.settled("li", "centre")
        told = court.login(court.browser("https://localhost"), "li").headers["set-cookie"]
        assert told.startswith("__Host-oriole=") and "Secure" in told and "Domain" not in told
        plain = court.browser("https://localhost")
        plain.cookies.set("oriole", court.kit.desk.login("li", GOOD, court.kit.came())[0])
        assert plain.get(f"{V1}/findings").status_code == 401  # a cookie that http could have set


def test_a_code_is_asked_for_before_anything_is_shown(court):
    import pyotp

    browser = court.account("li", "centre")
    page = browser.post("/account/codes", data={"csrf": csrf_in(browser.get("/account"))})
    secret = page.text.partition('name="secret" value="')[2][:32]
    made = pyotp.TOTP(secret)
    form = {"csrf": csrf_in(page), "secret": secret, "code": made.at(court.kit.now_us // 10**6)}
    assert "动态口令已启用" in browser.post("/account/codes", data=form).text
    court.kit.later(MINUTE_US)
    other = court.browser()
    answer = court.login(other, "li")
    assert answer.headers["location"] == "/login/code"
    assert other.get("/notices").headers["location"] == "/login/code"
    assert other.get("/login/password").headers["location"] == "/login"
    token = csrf_in(other.get("/login/code"))
    assert other.post("/login/code", data={"csrf": token, "code": "000000"}).status_code == 401
    code = made.at(court.kit.now_us // 10**6)
    done = other.post("/login/code", data={"csrf": token, "code": code})
    assert done.headers["location"] == "/" and other.get("/notices").status_code == 200


@pytest.mark.parametrize("forged", ["", "x", "0" * 64, "ä", "../../x", "' OR 1=1 --"])
def test_a_session_that_nobody_was_given(court, forged):
    court.kit.settled("li", "centre")
    answer = court.client.get(f"{V1}/findings", headers={"cookie": f"oriole={forged}".encode()})
    assert answer.status_code == 401


def test_what_the_store_keeps_of_a_session_opens_nothing(court):
    token = court.kit.settled("li", "centre")
    (session,) = court.kit.store.sessions("li")
    for told, status in ((session.token, 401), (token, 200)):
        headers = {"cookie": f"oriole={told}"}
        assert court.client.get(f"{V1}/findings", headers=headers).status_code == status


@pytest.mark.parametrize("how", ["idle", "password", "role", "shut", "reset", "logout"])
def test_a_session_that_has_ended_is_stolen_in_vain(court, how):
    browser = court.account("li", "centre")
    thief = court.browser()
    thief.cookies.set("oriole", browser.cookies["oriole"])
    assert thief.get(f"{V1}/findings").status_code == 200
    kit = court.kit
    if how == "idle":
        kit.later(HOUR_US + MINUTE_US)
    elif how == "password":
        form = {"csrf": csrf_in(browser.get("/account")), "old": GOOD}
        new = {"new": "Another-7-word", "again": "Another-7-word"}
        assert browser.post("/account/password", data=form | new).status_code == 303
        assert browser.get(f"{V1}/findings").status_code == 200  # the one who changed it goes on
    elif how == "role":
        kit.registrar.change("li", "auditor", None, "", "test", kit.came())
    elif how == "shut":
        kit.registrar.disable("li", True, "test", kit.came())
    elif how == "reset":
        kit.registrar.reset("li", "test", kit.came())
    else:
        browser.post("/logout", data={"csrf": csrf_in(browser.get("/account"))})
    assert thief.get(f"{V1}/findings").status_code == 401


def test_too_many_logins_wait(court):
    court.kit.settled("li", "centre")
    browser = court.browser()
    for _ in range(5):
        assert court.login(browser, "li", "wrong password").status_code == 401
    answer = court.login(browser, "li")
    assert answer.status_code == 429 and answer.headers["retry-after"] == "1"
    court.kit.later(MINUTE_US)
    assert court.login(browser, "li").status_code == 303


@pytest.mark.parametrize(
    "told",
    ["//evil.example", "/\\evil.example", "\\\\evil", "https://evil.example", "evil", "",
     "/\t/evil.example", "/\n/evil", " //evil", "javascript:alert(1)", "/login", "/login/code",
     "/logout", "///evil", "/％2F/evil", "http:/evil"],
)  # fmt: skip
def test_a_login_leads_to_no_other_site(court, told):
    court.kit.settled("li", "centre")
    assert safe_next(told) == "/"
    answer = court.login(court.browser(), "li", next=told)
    assert answer.headers["location"] == "/"


@given(st.text(alphabet="/\\.:@ \t\nabc?#", max_size=12))
def test_what_is_gone_on_to_stays_here(told):
    from urllib.parse import urljoin, urlsplit

    assert urlsplit(urljoin("http://here/login", safe_next(told))).netloc == "here"


# --- requests of other sites ----------------------------------------------------------------------


def test_a_cookie_alone_changes_nothing(court):
    browser = court.account("li", "centre")
    path = f"{V1}/notices/{court.notice}/acts"
    token = csrf_in(browser.get("/account"))
    other = csrf_in(court.account("wu", "centre").get("/account"))
    for headers in ({}, {"x-csrf-token": ""}, {"x-csrf-token": other}, FORM,
                    {"content-type": "text/plain"}):  # fmt: skip
        answer = browser.post(path, content=b'{"act":"urge","text":"x"}', headers=headers)
        assert answer.status_code == 403, headers
    good = {"x-csrf-token": token}
    for origin in ("http://evil.example", "null", "http://localhost.evil"):
        answer = browser.post(path, json={"act": "urge"}, headers=good | {"origin": origin})
        assert answer.status_code == 403
    assert browser.post(path, json={"act": "urge", "text": "x"}, headers=good).status_code == 200


@pytest.mark.parametrize(
    "template", [t for (m, t), p in PERMITS.items() if p.form and t != "/login"]
)
def test_every_form_asks_for_its_token(court, template):
    """Of every route that is let through the door with a form, whoever asks."""
    role = next(r for r in GIVEN if permitted(PERMITS["POST", template], r))
    half = template in ("/login/code", "/login/password")
    browser = court.account("li", role)
    for form in ({}, {"csrf": ""}, {"csrf": "0" * 64}):
        answer = browser.post(address(court, template), data=form | {"act": "urge"})
        assert answer.status_code == 403 and "form" in answer.text, (half, answer.text)


def test_a_login_form_of_another_site_is_refused(court):
    court.kit.settled("li", "centre")
    form = {"name": "li", "password": GOOD}
    answer = court.browser().post("/login", data=form, headers={"origin": "http://evil.example"})
    assert answer.status_code == 403 and "set-cookie" not in answer.headers


# --- keys -----------------------------------------------------------------------------------------


def test_a_key_opens_what_its_powers_say(court):
    sends = court.key("feed", powers=("send",))
    event = {**ACCEPT, "case_id": "c9", "event_id": "e9"}
    assert court.client.post(f"{V1}/events", content=lines(event), headers=sends).json()[
        "accepted"
    ] == 1  # fmt: skip
    assert court.client.get(f"{V1}/findings", headers=sends).status_code == 403
    assert court.client.get("/account", headers=sends).status_code == 404
    lower = {"authorization": sends["authorization"].replace("Bearer", "bearer")}
    assert court.client.get("/api/docs", headers=lower).status_code == 200


@pytest.mark.parametrize("wrong", ["", "Bearer", "Bearer ", "Basic x", "ork", "Bearer ork_x_y"])
def test_a_wrong_key_is_refused_even_beside_a_good_session(court, wrong):
    browser = court.account("li", "centre")
    answer = browser.get(f"{V1}/findings", headers={"authorization": wrong})
    assert answer.status_code == 401 and answer.headers["www-authenticate"].startswith("Bearer")
    assert wrong not in answer.text or len(wrong) < 7


def test_a_key_that_was_revoked_or_has_expired(court):
    kit = court.kit
    header = court.key("feed", expires_us=kit.now_us + DAY_US)
    other = court.key("other")
    assert court.client.get(f"{V1}/findings", headers=header).status_code == 200
    kit.later(DAY_US)
    assert court.client.get(f"{V1}/findings", headers=header).status_code == 401
    assert court.client.get(f"{V1}/findings", headers=other).status_code == 200
    kit.registrar.revoke(other["authorization"].split("_")[1], "test", kit.came())
    assert court.client.get(f"{V1}/findings", headers=other).status_code == 401


def test_a_key_asks_so_often_and_no_more(court):
    few, many = court.key("few", per_minute=3), court.key("many")
    status = [court.client.get("/api/docs", headers=few).status_code for _ in range(4)]
    assert status == [200, 200, 200, 429]
    answer = court.client.get("/api/docs", headers=few)
    assert 1 <= int(answer.headers["retry-after"]) <= 30
    assert court.client.get("/api/docs", headers=many).status_code == 200


def test_a_sender_tells_of_its_departments_alone(court):
    header = court.key("feed", departments=("D01",))
    mine = {**ACCEPT, "case_id": "c9"}
    theirs = mine | {"department": "D02"}
    for body in (lines(mine, theirs), json.dumps([mine, theirs]).encode(), lines({"kind": "tick"}),
                 b"{", b'{"department":"D02","department":"D01"}'):  # fmt: skip
        answer = court.client.post(f"{V1}/events", content=body, headers=header)
        assert answer.status_code == 403, (body, answer.text)
    assert court.client.post(f"{V1}/events", content=lines(mine), headers=header).is_success


@pytest.mark.parametrize(
    "line",
    [b'{"kind":"act","act":"withdraw"}', b'{"kind":"\\u0061ct"}', b'{"kind":"verdict"}',
     b'[{"kind":"volume"},{"kind" : "act"}]', b'{"kind":"case","kind":"act"}'],
)  # fmt: skip
def test_a_sender_decides_nothing_for_people(line):
    """What is sent as an event cannot be a person's act: those go by their own route."""
    from detector.web.problems import Problem

    sender = Who("key:feed", "system", powers=frozenset({"send"}))
    with pytest.raises(Problem) as told:
        need_sendable(sender, line)
    assert told.value.status == 403
    need_sendable(Who("key:oa", "centre", powers=frozenset({"send", "lead"})), line)


# --- what is hidden, and what is written down -----------------------------------------------------


def test_private_numbers_are_hidden_from_who_may_not_ask_about_persons(court):
    whole, little = court.account("li", "centre"), court.account("wu", "operator")
    token = {"x-csrf-token": csrf_in(whole.get("/account"))}
    urge = {"act": "urge", "text": f"请联系 {PHONE}"}
    notice = f"{V1}/notices/{court.notice}"
    assert whole.post(f"{notice}/acts", json=urge, headers=token).status_code == 200
    assert actors(court)[-1] == "li"
    for path in (f"{V1}/cases/{MARK}", notice):
        told, masked = whole.get(path).text, little.get(path).text
        assert PHONE in told and PHONE not in masked and IDENTITY not in masked
        assert "138******78" in masked and json.loads(masked).keys() == json.loads(told).keys()
    assert IDENTITY in whole.get(f"{V1}/cases/{MARK}").text
    for path in (f"/cases/{MARK}", f"/notices/{court.notice}"):  # the same on the pages
        told, masked = whole.get(path).text, little.get(path).text
        assert PHONE in told and PHONE not in masked and IDENTITY not in masked, path
    assert little.get(f"{V1}/findings?operator=P0101").status_code == 403
    assert little.get("/operators/P0101").status_code == 403


def test_hiding_leaves_ids_numbers_and_dates_alone():
    told = {
        "case_id": PHONE, "fine": 13912345678, "event": f"x{PHONE}", "hash": f"a{IDENTITY}b",
        "order": "202603020000000001", "text": f"电话{PHONE}，", "more": [f"{IDENTITY} {PHONE}"],
    }  # fmt: skip
    got = json.loads(hidden(json.dumps(told).encode()))
    kept = ("case_id", "fine", "event", "hash", "order")
    assert {k: got[k] for k in kept} == {k: told[k] for k in kept}
    assert got["text"] == "电话138******78，" and got["more"] == ["110*************11 138******78"]


def test_reading_about_a_person_is_written_down_before_it_is_shown(court):
    browser = court.account("li", "auditor")
    assert browser.get("/operators/P0101").status_code == 200
    assert browser.get(f"{V1}/findings?operator=P0101").status_code == 200
    assert browser.get("/export/findings.csv").status_code == 200
    told = [(one.actor, one.act, one.object, one.outcome) for one in court.kit.audit.all()][-3:]
    assert told == [
        ("li", "GET", "/operators/P0101", "200"),
        ("li", "GET", f"{V1}/findings?operator=P0101", "200"),
        ("li", "GET", "/export/findings.csv", "200"),
    ]
    court.kit.store.book._connection.execute(
        "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'disk full'); END"
    )
    answer = browser.get("/operators/P0101")
    assert answer.status_code == 503 and "P0101" not in answer.text


def test_a_signed_link_is_no_secret_of_the_audits(court):
    court.client.post("/n/some-secret-token", data={"act": "acknowledge"})
    (last,) = list(court.kit.audit.all())[-1:]
    assert (last.object, last.outcome) == ("/n/…", "404")


# --- machines -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/readyz", "/metrics"])
def test_probes_of_this_machine_need_nothing_others_do(court, path):
    from starlette.testclient import TestClient

    near = TestClient(court.app, base_url="http://localhost", client=("127.0.0.1", 1))
    court.key("feed")
    assert near.get(path).status_code == 200 and court.client.get("/healthz").status_code == 200
    for header in ("x-forwarded-for", "forwarded"):
        assert near.get(path, headers={header: "1.2.3.4"}).status_code == 401
    assert court.client.get(path).status_code == 401
    assert court.account("root", "admin").get(path).status_code == 200
    assert court.account("li", "centre").get(path).status_code == 403


def test_hosts_that_the_server_was_told(tmp_path):
    with Court(tmp_path, hosts=("oriole.example",)) as court:
        for host, status in (("oriole.example:8000", 200), ("Oriole.Example", 200),
                             ("evil.example", 421), ("localhost", 200)):  # fmt: skip
            assert court.client.get("/healthz", headers={"host": host}).status_code == status


def test_behind_a_proxy_its_word_about_addresses_counts_and_else_not(tmp_path):
    for k, behind in enumerate((False, True)):
        with Court(tmp_path / str(k), {"behind_proxy": behind}) as court:
            court.kit.settled("li", "centre")
            browser = court.browser()
            for n in range(40):
                headers = {"x-forwarded-for": f"10.0.0.{n}, 10.9.9.{n}"}
                form = {"name": f"n{n}", "password": "wrong password"}
                answer = browser.post("/login", data=form, headers=headers)
            assert answer.status_code == (401 if behind else 429)


# --- pages of who keeps accounts ------------------------------------------------------------------


def test_the_keeper_of_accounts_keeps_them(court):
    keeper = court.account("keeper", "security")
    token = csrf_in(keeper.get("/admin/accounts"))
    form = {"csrf": token, "name": "New.One", "role": "supervisor", "departments": "D01，D02"}
    page = keeper.post("/admin/accounts", data=form)
    assert page.status_code == 201
    given_out = page.text.partition('<strong class="code">')[2].partition("<")[0]
    assert given_out not in keeper.get("/admin/accounts").text
    browser = court.browser()
    assert court.login(browser, "new.one", given_out).headers["location"] == "/login/password"
    assert court.kit.store.account("new.one").departments == ("D01", "D02")
    assert keeper.post("/admin/accounts", data=form).status_code == 400  # it is there already
    for act, check in (
        ("disable", lambda one: one.disabled), ("enable", lambda one: not one.disabled),
        ("change", lambda one: one.role == "auditor"), ("reset", lambda one: one.must_change),
    ):  # fmt: skip
        told = {"csrf": token, "act": act, "role": "auditor"}
        assert keeper.post("/admin/accounts/new.one", data=told).status_code in (200, 303)
        assert check(court.kit.store.account("new.one")), act
    own = keeper.post("/admin/accounts/keeper", data={"csrf": token, "act": "change",
                                                      "role": "admin"})  # fmt: skip
    assert own.status_code == 400 and court.kit.store.account("keeper").role == "security"
    for role in ("local", "", "boss"):
        wrong = keeper.post("/admin/accounts", data=form | {"role": role, "name": "x9"})
        assert wrong.status_code == 400
    page = keeper.post("/admin/keys", data={"csrf": token, "name": "feed", "role": "system",
                                            "power": ["send", "audit"]})  # fmt: skip
    (key,) = court.kit.store.keys()
    assert page.status_code == 201 and key.powers == ("send",)
    assert keeper.post(f"/admin/keys/{key.key_id}", data={"csrf": token}).status_code == 303
    assert court.kit.store.key(key.key_id).revoked_us is not None
    assert keeper.get("/").headers["location"] == "/admin/accounts"


def test_the_audit_is_read_by_pages(court):
    reader = court.account("reader", "audit_admin")
    for k in range(120):
        reader.get(f"/admin/audit?actor=x{k}")
    page = reader.get("/admin/audit?actor=reader")
    assert page.text.count("<tr>") == 101 and "before=" in page.text
    assert reader.get("/admin/audit?before=x").status_code == 400
    assert "<b>" not in reader.get("/admin/audit?actor=<b>").text


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_pages_of_accounts_hold_no_script_or_style_and_lack_no_word(court, lang):
    browser = court.account("keeper", "security")
    auditor = court.account("reader", "audit_admin")
    pages = [court.browser().get(f"/login?lang={lang}"), browser.get(f"/account?lang={lang}"),
             browser.get(f"/admin/accounts?lang={lang}"),
             auditor.get(f"/admin/audit?lang={lang}")]  # fmt: skip
    for page in pages:
        assert page.status_code == 200 and page.headers["cache-control"] == "no-store"
        assert " style=" not in page.text and "<style" not in page.text
        assert "onclick" not in page.text and "<script>" not in page.text
