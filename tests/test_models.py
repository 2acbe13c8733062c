"""What learners put into force, as the interface, the terminal and the pages tell it, and what
people do about it."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from court_kit import V1, Court, csrf_in
from learning_kit import few_days, learning_county
from live_kit import Live
from screens_kit import Screens, over

from detector.learned import fold
from detector.learning.epochs import Epoch, EpochBook, Guard
from detector.learning.told import Told
from detector.learnkit import Limit
from detector.web.pages.drawn import HEIGHT, bars, line

PAIR = "01/permit/accept/survey/"
EARLY = "01/permit/*/*/*"
NEXT = '{"kind":"tick","at":"2026-03-05T00:%02d:00+08:00"}'


# --- the fold -------------------------------------------------------------------------------------


def a_life(seed: int) -> tuple[EpochBook, list[Epoch]]:
    """A book that lives through proposals and acts, and all its epochs."""
    some, book, epochs = random.Random(seed), EpochBook("pace", 1, Guard(5, 500)), []
    for day in range(40):
        proposed = [
            Limit(key=(k,), value=some.randint(90, 150), n=900, people=3, since=0, until=day)
            for k in some.sample("abcd", some.randint(0, 4))
        ]
        epochs.append(book.begin(day, day * 10, proposed, 7))
        keys, act = list(book.waiting), some.randrange(6)
        if act == 0:
            epochs.append(book.approve(day, day * 10 + 1, keys, "L2", "x"))
        elif act == 1:
            epochs.append(book.roll_back(day, day * 10 + 1, day - some.randint(1, 9), "L2", "x"))
        elif act == 2:
            epochs.append(book.freeze(day, day * 10 + 1, {"a": "why"}, "L2", "x"))
        elif act == 3:
            epochs.append(book.thaw(day, day * 10 + 1, "L2", "x"))
    return book, epochs


def fold_fault(make: type[Told], seed: int) -> str:
    """How a fold differs from the book whose epochs it is told, in whatever pieces; "" where it
    does not."""
    book, epochs = a_life(seed)
    told, cut = make(), random.Random(seed)
    rest = list(epochs)
    while rest:
        size = cut.randint(1, 5)
        told, rest = told.after(rest[:size]), rest[size:]
    if told.limits != book.force:
        return "limits"
    if {one.key: one for one in told.waiting} != book.waiting or told.frozen != book.frozen:
        return "waiting, frozen"
    return "" if told.sha256 == book.last and told.epochs == len(epochs) else "count"


class Forgetful(Told):
    """Knows only the epochs that it was told last."""

    def after(self, epochs):
        return Forgetful(**vars(Told().after(epochs)))


@pytest.mark.parametrize("seed", range(8))
def test_limits_in_force_are_the_fold_of_all_epochs(seed):
    assert fold_fault(Told, seed) == ""


def test_a_fold_that_forgets_is_rejected():
    assert any(fold_fault(Forgetful, seed) for seed in range(8))


# --- the interface --------------------------------------------------------------------------------


def learned_screens() -> Iterator[Screens]:
    """The pages over a district that has learned for two days, and a jump that waits."""
    live = Live(content=learning_county())
    live.post(*few_days())
    yield from over(live)


@pytest.fixture(scope="module")
def site():
    """One for all who change nothing."""
    yield from learned_screens()


@pytest.fixture
def fresh():
    """One for each who acts."""
    yield from learned_screens()


def test_the_interface_tells_card_limits_and_history(site):
    told = site.get(f"{V1}/models").json()
    [one] = [one for one in told["items"] if one["id"] == "pace"]
    assert told["learns"] and (one["limits_in_force"], one["waits"], one["frozen"]) == (4, 4, {})
    card = site.get(f"{V1}/models/pace").json()
    assert {name: card[name] for name in one} == one and "Blind" in card["prose"]
    assert [limit["name"] for limit in card["limits"]][-1] == PAIR and len(card["limits"]) == 4
    pair = card["limits"][-1]
    assert pair["key"]["step"] == "survey" and pair["since"] == "2026-03-02" and pair["n"] == 60
    assert card["floor"] < pair["value"] < card["cap"] and pair["ordinary"][1][1] == 30
    waits = card["waiting"][-1]
    assert waits["name"] == PAIR and waits["now"] == pair["value"] > waits["value"]
    assert card["observed"] > 120 and card["until"] == "2026-03-03"
    _, folded = fold(site.live.ledger.reader(), "pace", Told())
    assert folded.limits[tuple(PAIR.split("/"))].value == pair["value"]
    epochs = site.get(f"{V1}/models/pace/epochs").json()["items"]
    assert [one["day"] for one in epochs] == ["2026-03-05", "2026-03-04", "2026-03-03"]
    assert epochs[0]["before"] == epochs[1]["sha256"] and len(epochs[0]["waiting"]) == 4
    assert {"name": PAIR, "old": None, "new": pair["value"]} in epochs[2]["changed"]


def test_limits_are_paged_narrowed_and_told_as_of_a_day(site):
    names: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        query = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        told = site.get(f"{V1}/models/pace", params=query).json()
        names += [one["name"] for one in told["limits"]]
        cursor = told["next_cursor"]
    assert len(names) == 4 == len(set(names))
    told = site.get(f"{V1}/models/pace", params={"item": "permit"}).json()
    assert [one["name"] for one in told["limits"]] == [EARLY, PAIR]
    told = site.get(f"{V1}/models/pace", params={"key": PAIR}).json()
    assert [one["name"] for one in told["limits"]] == [PAIR]
    assert site.get(f"{V1}/models/pace?day=2026-03-02").json()["limits"] == []
    young = site.get(f"{V1}/models/pace", params={"key": PAIR, "day": "2026-03-03"}).json()
    assert young["limits"][0]["n"] == 30 and young["waiting"] == []
    rows = [site.get(f"{V1}/models/pace/epochs?limit=2").json()]
    rows.append(site.get(f"{V1}/models/pace/epochs?cursor={rows[0]['next_cursor']}").json())
    assert [len(one["items"]) for one in rows] == [2, 1] and rows[1]["next_cursor"] is None


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("nothing", 404), ("pace?day=soon", 400), ("pace?cursor=x", 400), ("pace?key=none", 404),
        ("pace?department=D01", 400), ("pace?limit=0", 400), ("pace/epochs?cursor=0", 400),
        ("nothing/epochs", 404),
    ],
)  # fmt: skip
def test_what_is_not_there_is_refused(site, path, status):
    told = site.get(f"{V1}/models/{path}")
    assert told.status_code == status
    assert told.headers["content-type"] == "application/problem+json"


def test_an_unchanged_answer_is_told_by_its_mark(site):
    mark = site.get(f"{V1}/models/pace").headers["etag"]
    assert site.get(f"{V1}/models/pace", headers={"if-none-match": mark}).status_code == 304


def act(site, act_, status=202, **told):
    """An act, and a minute for it to take effect."""
    body = {"act": act_, "reason": "经核实", "actor": "L2"} | told
    answer = site.browser.post(f"{V1}/models/pace/acts", json=body)
    assert answer.status_code == status, answer.text
    if status < 300:
        site.time_passes()
    return site.get(f"{V1}/models/pace").json()


def test_people_approve_reject_freeze_thaw_and_roll_back(fresh):
    """Under the clock of events an act is in force when time goes on."""
    card = act(fresh, "freeze", key="permit")
    before = {one["name"]: one["value"] for one in card["limits"]}
    new = {one["name"]: one["value"] for one in card["waiting"]}[PAIR]
    card = act(fresh, "approve", key=PAIR)
    now = {one["name"]: one["value"] for one in card["limits"]}
    assert now == before | {PAIR: new} and card["waits"] == 3
    assert card["frozen"] == {"permit": "经核实"}
    assert act(fresh, "reject")["waits"] == 0 and act(fresh, "thaw")["frozen"] == {}
    card = act(fresh, "rollback", to="2026-03-03", reason="第三天的数据有误")
    assert {one["name"]: one["n"] for one in card["limits"]}[PAIR] == 30
    assert card["frozen"] == {"*": "rollback: 第三天的数据有误"}
    epochs = fresh.get(f"{V1}/models/pace/epochs").json()["items"]
    causes = [(one["cause"], one["actor"]) for one in epochs if one["cause"] != "day"]
    assert causes == [(c, "L2") for c in ("rollback", "thaw", "reject", "approve", "freeze")]
    assert epochs[0]["reason"] == "第三天的数据有误"


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ({"act": "fly"}, 400), ({"act": "freeze", "reason": " "}, 400),
        ({"act": "freeze", "reason": "x" * 2_001}, 400), ({"act": "freeze", "key": 7}, 400),
        ({"act": "freeze", "key": "nothing-of-the-kind"}, 400),
        ({"act": "approve", "key": "nothing"}, 409), ({"act": "thaw"}, 409),
        ({"act": "rollback", "to": "2026-03-05"}, 400), ({"act": "rollback", "to": "x"}, 400),
        ({"act": "rollback", "to": "2025-03-05"}, 400),
    ],
)  # fmt: skip
def test_an_act_that_may_not_be_is_refused(site, told, status):
    many = len(list(site.live.ledger.all_epochs()))
    body = {"reason": "x"} | told
    assert site.browser.post(f"{V1}/models/pace/acts", json=body).status_code == status
    site.time_passes()
    assert len(list(site.live.ledger.all_epochs())) == many


def test_an_act_that_is_sent_twice_counts_once(fresh):
    body, key = {"act": "freeze", "reason": "x"}, {"idempotency-key": "k"}
    many = len(fresh.live.ledger.epochs("pace"))
    for _ in range(2):
        told = fresh.browser.post(f"{V1}/models/pace/acts", json=body, headers=key)
        assert told.status_code in (200, 202)
        fresh.time_passes()
    assert len(fresh.live.ledger.epochs("pace")) == many + 1
    assert fresh.browser.post(f"{V1}/models/none/acts", json=body).status_code == 404


def test_a_district_that_does_not_learn_says_so():
    live = Live()
    with Screens(live) as screens:
        told = screens.get(f"{V1}/models").json()
        assert told == {"items": [], "next_cursor": None, "learns": False}
        assert screens.get(f"{V1}/models/pace").status_code == 404
        assert "未启用自学习" in screens.get("/models").text
        assert screens.get("/models/pace").status_code == 404
        assert "oriole_learned_limits{" not in screens.get("/metrics").text
        screens.browser.close()
    live.stop()


def test_prometheus_is_told_of_each_learner(site):
    told = site.get("/metrics").text
    for name, value in (("limits", 4.0), ("waiting", 4.0), ("frozen", 0.0)):
        assert f'oriole_learned_{name}{{learner="pace"}} {value}' in told


# --- the pages ------------------------------------------------------------------------------------


def fields_of(page: str) -> dict[str, str]:
    """The hidden fields that every form of a page bears."""
    return dict(re.findall(r'type="hidden" name="(csrf|once)" value="([^"]*)"', page))


def test_the_page_says_what_was_learned_and_may_never_be_done(site):
    page = site.get("/models/pace").text
    told = site.get(f"{V1}/models/pace").json()
    for limit in told["limits"]:
        assert f">{limit['value']:,} 秒</a>" in page and f"?key={quote(limit['name'])}#one" in page
    assert "2026-03-02 至 2026-03-03 的 182 条记录" in page and "任何界限不低于 5 秒" in page
    assert "现场勘查" in page and page.count('<svg class="plot"') == 4
    assert page.count('name="act" value="approve"') == 4
    english = site.get("/models/pace", params={"lang": "en"}).text
    assert "least working time" in english and "No limit falls below 5 s" in english
    site.get("/models?lang=zh")
    close = site.get("/models/pace", params={"key": PAIR}).text
    assert '<polyline class="line"' in close and "逐次变动" in close
    assert site.get("/models/pace?key=nothing").status_code == 404
    assert site.get("/models/pace?sort=odd").status_code == 400
    found = site.get("/models/pace", params={"q": "勘查"}).text
    assert f'<small class="code">{PAIR}' in found and found.count('<svg class="plot"') == 1
    assert "2026-03-03 结束时的界限" in site.get("/models/pace?day=2026-03-03").text


def test_a_finding_by_a_learned_limit_says_so_and_leads_to_it(site):
    [found] = site.findings(rule="unusually_fast")
    page = site.get(f"/findings/{found['finding_id']}").text
    assert "学习所得的界限" in page and '<svg class="plot"' in page and "如有异议" in page
    assert "/models/pace?item=permit#limits" in page and '"code">ordinary<' not in page
    assert "/models/pace" in site.get("/rules/unusually_fast").text
    other = site.findings(rule="too_fast_step")
    told = site.get(f"/findings/{other[0]['finding_id']}").text if other else ""
    assert "学习所得的界限" not in told and "/models/" not in site.get("/rules/off_hours").text


def test_forms_act_once_and_only_with_a_reason(fresh):
    fields = fields_of(fresh.get("/models/pace").text)
    for _ in range(2):
        told = fresh.form("/models/pace", act="approve", key=PAIR, reason="经核实", **fields)
        assert told.status_code == 303 and told.headers["location"].endswith("done=taken-approve")
    fresh.time_passes()
    causes = [row.cause for row in fresh.live.ledger.epochs("pace")]
    assert causes.count("approve") == 1
    assert 'role="status"' in fresh.get("/models/pace?done=taken-approve").text
    fields = fields_of(fresh.get("/models/pace").text)
    assert fresh.form("/models/pace", act="freeze", **fields).status_code == 400
    back = {"act": "rollback", "to": "2026-03-03", "reason": "x"} | fields
    assert fresh.form("/models/pace", **back).status_code == 400  # it was not confirmed
    assert fresh.form("/models/pace", sure="1", **back).status_code == 303
    fresh.time_passes()
    page = fresh.get("/models/pace").text
    assert re.search(r"于 2026-03-05 [\d:]+ 回退，此后冻结：x", page) and 'value="thaw"' in page


def test_bars_hold_every_observation():
    told = bars([[10, 1], [20, 50], [40, 90]], 100)
    assert [(one.low, one.high, one.n) for one in told] == [
        (None, 10, 1), (10, 20, 49), (20, 40, 40), (40, None, 10),
    ]  # fmt: skip
    assert all(one.y >= 0 and one.y + one.height <= HEIGHT for one in told)
    assert max(told, key=lambda one: one.height).n == 49
    assert bars([], 5) == [] and sum(one.n for one in bars([[3, 0], [4, 0]], 0)) == 0


def test_a_limit_over_days_is_drawn_as_steps():
    drawn = line([(3, 100), (5, None), (7, 200)], 9)
    assert drawn is not None and (drawn.first_day, drawn.last_day) == (3, 9)
    xs, ys = zip(*(map(float, one.split(",")) for one in drawn.points.split()), strict=True)
    assert list(xs) == sorted(xs) and len(set(ys)) == 2 and ys[0] > ys[-1]
    assert tuple(value for _, value in drawn.marks) == (200, 100)
    assert line([(5, None)], 9) is None and line([(5, 7)], 5) is not None


# --- who may --------------------------------------------------------------------------------------


@pytest.fixture
def court(tmp_path):
    with Court(tmp_path, content=learning_county()) as one:
        one.live.post(*few_days())
        yield one


def test_who_may_switch_rules_moves_limits_and_is_named(court):
    centre = court.account("zhao", "centre")
    some = court.account("sun", "centre", departments=("D01",))
    told = {"csrf": csrf_in(centre.get("/account")), "act": "freeze", "reason": "经核实"}
    assert centre.post("/models/pace", data=told | {"csrf": "x"}).status_code == 403
    assert centre.post("/models/pace", data=told).status_code == 303
    other = {"csrf": csrf_in(some.get("/account"))}
    assert some.post("/models/pace", data=told | other).status_code == 403
    court.live.post((NEXT % 30).encode())
    [last] = court.live.ledger.epochs("pace", 1)
    assert last.cause == "freeze" and json.loads(last.doc)["actor"] == "zhao"
    for role in ("operator", "supervisor", "auditor"):
        browser = court.account(role, role)
        page = browser.get("/models/pace")
        assert page.status_code == 200 and 'name="act"' not in page.text
        told["csrf"] = csrf_in(browser.get("/account"))
        assert browser.post("/models/pace", data=told).status_code == 403
    assert any("models/pace" in o.act + o.object for o in court.kit.audit.all())


def test_no_sender_passes_an_act_off_as_a_fact(court):
    line = {"kind": "learning", "fact_id": "f1", "learner": "pace", "act": "approve",
            "actor": "L2", "at": "2026-03-05T00:20:00+08:00"}  # fmt: skip
    told = court.client.post(f"{V1}/events", content=json.dumps(line), headers=court.key("window"))
    assert told.status_code == 403
    court.live.post((NEXT % 30).encode())
    assert court.live.ledger.epochs("pace", 1)[0].cause == "day"
