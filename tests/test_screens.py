"""Pages without a browser: all of them whole in both languages, lists true, forms obeyed once."""

from __future__ import annotations

import csv
import html
import io
import re
import zipfile
from collections import Counter

import msgspec
import pytest
from screens_kit import BROKEN, ODD_CASE, Screens, county_screens, links_in, pages_of

from detector.notice import allowed
from detector.values import read_time
from detector.web.board import DUE
from detector.web.links import Link


@pytest.fixture(scope="module")
def screens():
    yield from county_screens()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_page_is_whole_and_quiet(screens, lang):
    """It answers, holds no inline script or style, names no other host, and leads nowhere
    missing."""
    met: set[str] = set()
    for path in pages_of(screens):
        page = screens.get(path, params={"lang": lang})
        page = screens.get(path)  # the choice is kept
        assert page.status_code == 200, (path, page.text[:300])
        assert f'<html lang="{"zh-CN" if lang == "zh" else "en"}">' in page.text
        assert not re.search(r"<style| style=| on\w+=", re.sub(r"&\w+;", "", page.text)), path
        assert not re.search(r"<script(?![^>]* src=)(?![^>]*application/json)", page.text), path
        assert not re.search(r'(?:src|href)="(?:https?:)?//', page.text), path
        met |= links_in(page.text)
    for address in sorted(met - {"/account", "/admin/accounts", "/admin/audit"}):
        assert screens.get(address, follow_redirects=True).status_code == 200, address


def test_what_people_typed_is_text_on_every_page(screens):
    for path in (f"/cases/{ODD_CASE}", "/findings", "/quality", "/", "/board"):
        page = screens.get(path)
        assert page.status_code == 200
        for bad in ("<script>alert", "<img src=x", "<b>approve"):
            assert bad not in page.text, path
    assert "&lt;script&gt;alert(1)" in screens.get(f"/cases/{ODD_CASE}").text


def test_a_list_shows_what_the_interface_tells(screens):
    for wanted in ({}, {"state": "stands", "department": "D02"}, {"rule": "too_fast_step"}):
        told = [one["finding_id"] for one in screens.findings(**wanted)]
        shown, address = [], "/findings"
        page = screens.get(address, params=wanted)
        while True:
            shown += re.findall(r'data-href="/findings/(\w+)"', page.text)
            onward = re.search(r'rel="next" href="([^"]+)"', page.text)
            if not onward:
                break
            page = screens.get(onward[1].replace("&amp;", "&"))
        assert shown == told and len(shown) > 10


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_evidence_is_told_in_words(screens, lang):
    """Of every rule that found something: no key, no fen, no code of a step or duty."""
    some = {one["rule"]: one for one in screens.every_finding()}
    assert len(some) > 25
    for one in some.values():
        page = screens.get(f"/findings/{one['finding_id']}?lang={lang}").text
        told = page[page.index("<dl", page.index("</dl>")) :]
        told = told[: told.index("</dl>")]
        for key, value in one["evidence"].items():
            assert f"<dt>{key}</dt>" not in told, (one["rule"], key)
            if key.endswith("_fen") and value is not None:
                yuan = f"{value / 100:,.2f}"
                assert (f"{yuan} 元" if lang == "zh" else f"CNY {yuan}") in told, key
            if key in ("duty", "step", "held_step") and value:
                assert lang == "en" or f"<dd>{value}</dd>" not in told, (one["rule"], value)
        assert "<dd>True" not in told and "<dd>False" not in told and "<dd>None" not in told


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_sentences_say_names_and_yuan(screens, lang):
    """Of every rule that found something: no fen, no code of a department, a person or an item;
    what is stored stays as it is."""
    engine = screens.live.runner.shard.engine
    codes = {*engine.district.departments, *engine.district.catalogue.items}
    some, changed = {one["rule"]: one for one in screens.every_finding()}, 0
    for one in some.values():
        page = screens.get(f"/findings/{one['finding_id']}?lang={lang}").text
        said = html.unescape(re.findall(r'<p class="said[^>]*>(.*?)</p>', page)[0])
        assert not re.search(r"\d (?:分|fen)\b", said), said
        assert not codes & set(re.findall(r"\w+", said, re.ASCII)), said
        changed += said != one["sentence"][lang]
    assert changed > 15


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_answer_page_calls_a_department_by_its_name(screens, lang):
    rows = [row for row in screens.notices() if allowed("answer", row.state)]
    row = next(row for row in rows if row.tier >= 2 and row.department == "D01")
    issues = msgspec.json.decode(row.doc)["issues"]
    token = screens.web.links.token(Link(row.notice_id, "P0105", issues))
    page = screens.get(f"/n/{token}?lang={lang}").text
    subject = re.findall(r"<dd>(.*?)</dd>", page)[0]
    assert row.subject in subject and "区应急管理局" in subject and "D01" not in subject


def next_limit(screens, row):
    """The next limit that a notice's document tells, µs UTC."""
    return read_time(msgspec.json.decode(row.doc)["next_at"], screens.web.zone)


def test_the_nearest_limits_keep_to_the_filters(screens):
    """By their limits as by their issue: a list shows what was asked for and nothing else."""
    page = screens.get("/notices", params={"sort": "due", "department": "D02", "tier": 2})
    shown = re.findall(r'data-href="/notices/(\w+)"', page.text)
    rows = [r for r in screens.notices() if (r.department, r.tier) == ("D02", 2)]
    rows.sort(key=lambda row: (next_limit(screens, row), row.notice_id))
    assert shown == [row.notice_id for row in rows] and shown


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("state=odd", 400), ("tier=x", 400), ("tier=999", 400), ("from=yesterday", 400),
        ("cursor=zzz", 400), ("department=" + "x" * 300, 400), ("tier=2&from=2026-01-01", 200),
    ],
)  # fmt: skip
def test_a_list_refuses_what_it_does_not_know(screens, query, status):
    for path in ("/notices", "/findings"):
        assert screens.get(f"{path}?{query}").status_code == status, path


def test_the_board_adds_up(screens):
    """Its figures are what a walk over all rows counts."""
    told = screens.get("/api/v1/board").json()
    findings, rows = screens.every_finding(), screens.notices()
    stands = [one for one in findings if not one["withdrawn"] and not one["muted"]]
    assert told["standing"] == len(stands)
    tiers = Counter(row.tier for row in rows)
    assert {tier: n for tier, n, _ in told["tiers"]} == dict(tiers)
    assert sum(second for _, _, second in told["tiers"]) == sum(row.level == 2 for row in rows)
    open_of = Counter(row.department or "" for row in rows)
    assert {code: n for code, n, _, _ in told["departments"]} == dict(open_of)
    zone, begin = screens.web.zone, told["hours"]["from"] * 1000
    limits = {row.notice_id: next_limit(screens, row) for row in rows}
    due = [(one["next"] * 1000, one["id"]) for one in told["due"]]
    assert due == sorted((limits[name], name) for _, name in due) and len(due) == DUE
    ahead = min((at, name) for name, at in limits.items() if at > told["clock"] * 1000)
    assert ahead in due  # nobody has acted: a limit is told all the same
    by_hour = Counter(
        (one["rule"], (read_time(one["at"], zone) - begin) // 3_600_000_000)
        for one in stands
        if 0 <= read_time(one["at"], zone) - begin < 24 * 3_600_000_000
    )
    assert {(r, h): n for r, row in told["hours"]["rules"] for h, n in enumerate(row) if n} == (
        dict(by_hour)
    )
    counts = screens.get("/api/v1/counts").json()["undetermined"]
    assert told["unknown"]["n"] == sum(n for rows in counts.values() for n in rows.values())


def test_a_file_holds_what_the_list_shows(screens):
    told = screens.findings(rule="too_fast_step")
    data = screens.get("/export/findings.csv", params={"rule": "too_fast_step"}).content
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))
    assert [row[12] for row in rows[1:]] == [one["finding_id"] for one in told]
    cases = {row[3] for row in rows}
    assert f"'{ODD_CASE}" in cases and ODD_CASE not in cases  # a table would compute it
    book = zipfile.ZipFile(
        io.BytesIO(screens.get("/export/findings.xlsx?rule=too_fast_step").content)
    )
    sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert len(re.findall(r"<row ", sheet)) == len(told) + 1 and "<f>" not in sheet
    notices = screens.get("/export/notices.csv?state=open").content.decode("utf-8-sig")
    assert len(list(csv.reader(io.StringIO(notices)))) == len(screens.notices()) + 1
    assert screens.get("/export/findings.pdf").status_code == 404


def fields_of(page: str) -> dict[str, str]:
    """The hidden fields that a page gave out."""
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))


def a_notice(screens: Screens, act: str) -> str:
    rows = [row for row in screens.notices() if allowed(act, row.state)]
    return next(row.notice_id for row in rows if row.subject_kind == "case")


def test_an_act_from_its_form_counts_once(screens):
    name = a_notice(screens, "acknowledge")
    fields = fields_of(screens.get(f"/notices/{name}").text)
    for _ in range(2):
        told = screens.form(f"/notices/{name}", act="acknowledge", **fields)
        screens.time_passes()
    assert told.status_code in (303, 409)
    row, steps = screens.live.ledger.notice(name), screens.live.ledger.notice_steps(name)
    assert row is not None and row.state == "acknowledged"
    assert [one.reason for one in steps].count("acknowledged") == 1
    page = screens.get(f"/notices/{name}?done=acknowledge").text
    assert 'role="status"' in page


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"act": "fly"}, 400), ({"act": "accept"}, 409), ({"act": "answer"}, 400),
        ({"act": "answer", "text": "x" * 3_000}, 400), ({"act": "exempt", "reason": "r"}, 400),
        ({"act": "decide_appeal", "decision": "maybe"}, 409),
    ],
)  # fmt: skip
def test_an_act_that_may_not_be_is_refused(screens, fields, status):
    name = a_notice(screens, "acknowledge")
    before = len(screens.live.ledger.notice_steps(name))
    assert screens.form(f"/notices/{name}", **fields).status_code == status
    assert len(screens.live.ledger.notice_steps(name)) == before


def test_many_are_urged_at_once(screens):
    names = [row.notice_id for row in screens.notices() if allowed("urge", row.state)][:3]
    fields = fields_of(screens.get("/notices").text)
    told = screens.form(
        "/notices", act="urge", text="请尽快办理", notice=[*names, "nothing"], **fields
    )
    assert told.status_code == 303 and "said=3-4" in told.headers["location"]
    screens.time_passes()
    for name in names:
        assert "urged" in {one.reason for one in screens.live.ledger.notice_steps(name)}
    assert screens.form("/notices", act="withdraw", notice=names).status_code == 400


def test_a_refused_line_is_mended_and_sent_again(screens):
    page = screens.get("/quality").text
    assert "&lt;b&gt;approve" in page
    line = msgspec.json.decode(BROKEN) | {
        "action": "accept", "department": "D01", "occurred_at": "2026-02-02T09:00:00+08:00",
        "recorded_at": "2026-02-02T09:00:00+08:00",
    }  # fmt: skip
    told = screens.form("/quality", line=msgspec.json.encode(line).decode())
    assert told.status_code == 303 and told.headers["location"].endswith("said=1-0")
    assert screens.get("/cases/c9").status_code == 200
    assert screens.form("/quality", line="{}").status_code == 400


def test_search_goes_straight_to_what_a_number_names(screens):
    finding, notice = screens.findings()[0], screens.notices()[0]
    for q, place in (
        (finding["finding_id"], "/findings/"), (notice.notice_id, "/notices/"),
        (finding["case_id"], "/cases/"), ("P0101", "/operators/"),
    ):  # fmt: skip
        told = screens.get("/search", params={"q": q})
        assert told.status_code == 303 and told.headers["location"].startswith(place), q
    assert "陆景行" in screens.get("/search", params={"q": "陆"}).text


def test_the_interface_tells_of_each_rule_what_its_page_does(screens):
    told = screens.get("/api/v1/rules").json()
    assert told["next_cursor"] is None and len(told["items"]) > 30
    for one in told["items"]:
        card = screens.get(f"/api/v1/rules/{one['id']}").json()
        assert {name: card[name] for name in one} == one
        assert card["bands"][0]["edge"] is None and card["sentence"]["zh"]
        assert set(one["tiers"]) == {b["tier"] for b in card["bands"]} - {None}
        page = screens.get(f"/rules/{one['id']}", params={"lang": "en"}).text
        for param in card["params"]:
            shown = re.findall(rf">{param['name']}</small></dt><dd>([^<]+)</dd>", page)[0]
            scale = {"fen": 100, "‰": 10}.get(param["unit"], 1)
            assert float(re.sub(r"[^\d.]", "", shown)) * scale == param["value"], shown
    fast = screens.get("/api/v1/rules/too_fast_step").json()
    assert fast["n"] == len(screens.findings(rule="too_fast_step", state="stands"))
    assert screens.get("/api/v1/rules/nothing").status_code == 404
    assert screens.get("/api/v1/rules?limit=3").status_code == 400


def test_findings_are_narrowed_to_an_item(screens):
    every = screens.every_finding()
    told = screens.findings(item="permit")
    assert len(told) == sum(one["item"] == "permit" for one in every) > 0
    assert {one["item"] for one in told} == {"permit"}


@pytest.mark.parametrize(("lang", "title"), [("zh", "没有找到"), ("en", "Nothing is here")])
def test_a_browser_is_shown_a_page_of_what_went_wrong(screens, lang, title):
    """Programs get a problem, people a page in their language, with the same status."""
    for path in ("/notices/none", "/findings/none", "/nowhere", "/departments/none"):
        page = screens.get(path, params={"lang": lang}, headers={"accept": "text/html,*/*"})
        assert page.status_code == 404 and f"<h1>{title}</h1>" in page.text, path
        assert "content-security-policy" in page.headers
        told = screens.get(path, headers={"accept": "application/json"})
        assert told.status_code == 404 and told.json()["status"] == 404
    api = screens.get("/api/v1/notices/none", headers={"accept": "text/html"})
    assert api.headers["content-type"] == "application/problem+json"
