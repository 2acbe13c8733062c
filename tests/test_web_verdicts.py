"""Verdicts from the desk: who may say which, what is shown of them, and what they come to."""

from __future__ import annotations

import re

import pytest
from court_kit import MARK, PHONE, V1, Court, csrf_in, lines
from live_kit import SURVEY
from test_cli import oriole

from detector.ledger.sqlite_file import FILE
from detector.web.permits import PERMITS
from detector.web.who import ANSWER, LEAD
from replay.verify import verify


@pytest.fixture
def court(tmp_path):
    with Court(tmp_path) as one:
        yield one


def say(browser, court, word, reason="", **more):
    """The form of a finding's page, sent with what the page gave out."""
    page = browser.get(f"/findings/{court.finding}")
    once = re.search(r'name="once" value="([^"]*)"', page.text)
    told = {"csrf": csrf_in(browser.get("/account")), "once": once[1] if once else ""}
    told |= {"verdict": word, "reason": reason, **more}
    return browser.post(f"/findings/{court.finding}", data=told)


def words(court):
    """What was said of the finding, oldest first."""
    return [(row.verdict, row.by) for row in court.live.ledger.verdicts_of(court.finding)]


def test_the_centre_says_all_three_and_the_last_counts(court):
    centre, leader = court.account("zhao", "centre"), court.account("qian", "leader")
    page = centre.get(f"/findings/{court.finding}").text
    assert page.count('name="verdict"') == 3 and "尚未核实" in page
    assert say(centre, court, "confirmed", f"现场未到 {PHONE}").status_code == 303
    assert say(leader, court, "false_alarm").status_code == 303  # in the same instant of the clock
    assert words(court) == [("confirmed", "zhao"), ("false_alarm", "qian")]
    told = centre.get(f"{V1}/findings/{court.finding}").json()
    assert [one["verdict"] for one in told["verdicts"]] == ["confirmed", "false_alarm"]
    page = leader.get(f"/findings/{court.finding}").text
    assert "核实 · 属实" in page and "核实 · 误报" in page and "现场未到" in page
    card = centre.get(f"{V1}/rules/{rule_of(court)}").json()
    assert card["precision"] == {
        "verdicts": 1, "confirmed": 0, "false_alarm": 1, "justified": 0, "share_permille": 0,
        "share_permille_min": 0, "share_permille_max": 793,
    }  # fmt: skip
    assert card["precision_by"] == [{"item": "permit", "department": "D01", **card["precision"]}]
    assert "0.0 %（0.0–79.3 %）" in leader.get(f"/rules/{rule_of(court)}").text
    acts = [(o.act, o.object) for o in court.kit.audit.all() if "findings" in o.act + o.object]
    assert len(acts) >= 2  # both are rows of the audit


def rule_of(court):
    """The rule of the court's finding."""
    return court.live.findings()[court.finding].rule


def test_a_department_only_justifies_and_acquits_nobody(court):
    """With its reason, only its own, and only what nobody else has said anything of."""
    own = court.account("sun", "supervisor", departments=("D01",))
    foreign = court.account("li", "supervisor", departments=("D02",))
    centre = court.account("zhao", "centre")
    assert own.get(f"/findings/{court.finding}").text.count('name="verdict"') == 1
    assert say(own, court, "false_alarm").status_code == 403
    assert say(own, court, "justified").status_code == 400  # it must say why
    path, token = f"/findings/{court.finding}", csrf_in(foreign.get("/account"))
    told = {"csrf": token, "verdict": "justified", "reason": "x"}
    assert foreign.post(path, data=told).status_code == 404
    assert say(own, court, "justified", "抢险").status_code == 303
    assert say(own, court, "justified", "抢险，有批文").status_code == 303
    assert say(centre, court, "confirmed").status_code == 303
    assert say(own, court, "justified", "还是有理由").status_code == 409
    assert [word for word, _ in words(court)] == ["justified", "justified", "confirmed"]
    assert 'name="verdict"' not in own.get(path).text
    for role in ("operator", "auditor"):
        browser = court.account(role, role)
        assert 'name="verdict"' not in browser.get(path).text
        told = {"csrf": csrf_in(browser.get("/account")), "verdict": "confirmed"}
        assert browser.post(path, data=told).status_code == 403
    assert len(words(court)) == 3


def test_a_form_without_the_sessions_word_or_sent_twice(court):
    centre = court.account("zhao", "centre")
    path = f"/findings/{court.finding}"
    assert centre.post(path, data={"verdict": "confirmed"}).status_code == 403
    told = {"csrf": csrf_in(centre.get(path)), "once": "k", "verdict": "confirmed"}
    assert [centre.post(path, data=told).status_code for _ in range(2)] == [303, 303]
    assert words(court) == [("confirmed", "zhao")]
    assert say(centre, court, "maybe").status_code == 400
    assert say(centre, court, "confirmed", "x" * 2_001).status_code == 400
    assert centre.post("/findings/none", data={**told, "once": "z"}).status_code == 404


def test_systems_say_it_by_key_where_they_lead(court):
    """A key without power `lead` says nothing, neither here nor among events."""
    path = f"{V1}/findings/{court.finding}/verdict"
    sender = court.key("window")
    assert court.client.post(path, json={"verdict": "confirmed"}, headers=sender).status_code == 403
    line = {"kind": "verdict", "fact_id": "f1", "finding_id": court.finding, "by": "P1",
            "verdict": "confirmed", "at": SURVEY["recorded_at"]}  # fmt: skip
    assert court.client.post(f"{V1}/events", content=lines(line), headers=sender).status_code == 403
    leads = court.key("oa", "centre", powers=("see", "lead"))
    told = {"verdict": "justified", "reason": "有批文", "actor": "L2"}
    twice = [
        court.client.post(path, json=told, headers={**leads, "idempotency-key": "k"})
        for _ in range(2)
    ]
    assert [one.status_code for one in twice] == [200, 200]
    assert words(court) == [("justified", "L2")]
    assert twice[0].json()["verdicts"][0]["reason"] == "有批文"
    assert PERMITS["POST", path.replace(court.finding, "{finding_id}")].powers == (ANSWER, LEAD)


def test_lists_and_files_are_narrowed_to_a_verdict(court):
    centre = court.account("zhao", "centre")
    every = {one["finding_id"] for one in centre.get(f"{V1}/findings").json()["items"]}
    assert say(centre, court, "confirmed").status_code == 303

    def found(word):
        told = centre.get(f"{V1}/findings", params={"verdict": word}).json()["items"]
        return {one["finding_id"] for one in told}

    assert found("confirmed") == {court.finding} and found("justified") == set()
    assert found("none") == every - {court.finding}
    assert centre.get(f"{V1}/findings?verdict=maybe").status_code == 400
    page = centre.get("/findings", params={"verdict": "confirmed"}).text
    assert court.finding in page and '<span class="tag">属实</span>' in page
    assert court.finding not in centre.get("/findings", params={"verdict": "none"}).text
    assert centre.get("/findings?verdict=maybe").status_code == 400
    told = centre.get("/export/findings.csv", params={"verdict": "confirmed"}).text
    assert len(told.splitlines()) == 2 and told.splitlines()[1].endswith(",属实")
    assert MARK in told and centre.get("/export/findings.csv?verdict=maybe").status_code == 400


def test_a_verdict_on_what_nobody_knows_is_told_under_data_quality(court):
    line = {"kind": "verdict", "fact_id": "f1", "finding_id": "no-such-finding", "by": "P1",
            "verdict": "confirmed", "at": SURVEY["recorded_at"]}  # fmt: skip
    court.live.post(line)
    whole = court.account("zhao", "centre")
    assert "no-such-finding" in whole.get("/quality").text
    some = court.account("sun", "supervisor", departments=("D01",))
    assert "no-such-finding" not in some.get("/quality").text


@pytest.mark.slow
def test_the_card_in_the_terminal_tells_the_precision(tmp_path):
    with Court(tmp_path) as court:
        rule = rule_of(court)
        told = oriole("rules", "show", rule, "--ledger", tmp_path).stdout
        assert "no verdict yet" in told and "0 %" not in told.split("precision")[1]
        assert say(court.account("zhao", "centre"), court, "confirmed").status_code == 303
    told = oriole("rules", "show", rule, "--ledger", tmp_path).stdout
    assert "100 % (20.7–100 %), 1 confirmed" in told and "permit · D01" in told
    assert "precision" not in oriole("rules", "show", rule).stdout
    assert verify(tmp_path / FILE).fault == ""
