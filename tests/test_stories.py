"""Three people at work in a real browser: the centre, a supervisor, an auditor."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import msgspec
import pytest
from screens_kit import Screens, county_screens, pages_of

from detector.notice import allowed
from detector.values import iso_time
from detector.web.links import Link
from detector.web.pages.sentences import MONEY, places_of, retell
from detector.web.words import words_of

pytestmark = pytest.mark.slow
SAID = "已核实：系统批量补录所致，已整改。"


@pytest.fixture(scope="module")
def screens():
    yield from county_screens()


def stamp(screens: Screens, seconds: int) -> str:
    """So long after the engine's clock."""
    return iso_time(screens.live.runner.figures.clock_us + seconds * 1_000_000)


def too_fast(screens: Screens, case: str) -> list[dict[str, Any]]:
    """A survey ten seconds after its acceptance, told a minute from now."""
    given = {"case_id": case, "item": "permit", "department": "D01", "operator": "P0101"}
    accept, survey = stamp(screens, 30), stamp(screens, 40)
    return [
        given | {"event_id": "1", "action": "accept", "occurred_at": accept, "recorded_at": accept},
        given | {"event_id": "2", "action": "step", "step": "survey", "occurred_at": survey,
                 "recorded_at": survey},
        {"kind": "tick", "at": stamp(screens, 70)},
    ]  # fmt: skip


def done(page: Any, act: str, screens: Screens) -> None:
    """Open an act's form, fill in what it needs, send it; it takes effect with the next tick."""
    form = page.locator("details.act", has=page.locator(f'button[value="{act}"]'))
    if form.get_attribute("open") is None:
        form.locator("summary").click()
    for field in form.locator("textarea").all():
        field.fill("请于三日内说明情况")
    form.locator(f'button[value="{act}"]').click()
    page.wait_for_selector("[role=status]")
    screens.time_passes()
    page.reload()


@pytest.mark.parametrize(("lang", "size"), [("zh", "wall"), ("en", "desk"), ("zh", "phone")])
def test_the_centre_sees_urges_and_closes(browse, axe, screens, lang, size):
    t, case = words_of(lang), f"story-{lang}-{size}"
    centre = browse(f"{screens.url}/?lang={lang}", size=size)
    centre.wait_for_selector('#link[data-state="live"]')
    screens.live.post(*too_fast(screens, case))
    row = centre.locator("#findings li", has_text=case)
    row.first.wait_for()  # without a reload
    row.first.locator("a").click()
    centre.wait_for_url(re.compile("/findings/"))
    assert axe(centre) == []
    centre.locator('dd a.code[href^="/notices/"]').first.click()
    centre.wait_for_url(re.compile("/notices/"))
    name = centre.url.rsplit("/", 1)[1]
    assert axe(centre) == []
    done(centre, "urge", screens)
    assert t("reason.urged") in centre.locator("ol.history").inner_text()

    answer(browse, screens, name, "phone", lang)
    centre.reload()
    assert SAID in centre.locator("ol.history").inner_text()
    done(centre, "accept", screens)
    if centre.locator('button[value="close"]').count():
        done(centre, "close", screens)
    row_now = screens.live.ledger.notice(name)
    assert row_now is not None and row_now.state == "closed"
    assert t("state.closed") in centre.locator("dl.facts").first.inner_text()


def answer(browse: Any, screens: Screens, name: str, size: str, lang: str) -> None:
    """The supervisor's part: the link of the SMS, on a telephone, without script."""
    row = screens.live.ledger.notice(name)
    assert row is not None and screens.web.links is not None
    issues = msgspec.json.decode(row.doc)["issues"]
    token = screens.web.links.token(Link(name, "P0105", issues))
    page = browse(f"{screens.url}/n/{token}?lang={lang}", size=size, java_script_enabled=False)
    page.locator("#answer").fill(SAID)
    page.locator('input[name="confirmed"]').check()
    page.locator('button[value="answer"]').click()
    page.wait_for_selector("[role=status]")
    screens.time_passes()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_supervisor_answers_from_the_link(browse, screens, lang):
    rows = [r for r in screens.notices() if allowed("answer", r.state) and r.department == "D01"]
    name = rows[0].notice_id
    answer(browse, screens, name, "phone", lang)
    row = screens.live.ledger.notice(name)
    assert row is not None and row.state == "answered"


@pytest.mark.parametrize(("lang", "size"), [("zh", "desk"), ("en", "phone")])
def test_an_auditor_finds_a_case_reads_why_and_exports(browse, axe, screens, lang, size, tmp_path):
    one = screens.findings(rule="overdue_promise", state="stands")[0]
    page = browse(f"{screens.url}/findings?lang={lang}", size=size)
    page.locator("#find").fill(one["case_id"])
    page.locator(".find button").click()
    page.wait_for_url(re.compile("/cases/"))
    assert axe(page) == []
    page.locator(f'a[href="/findings/{one["finding_id"]}"]').first.click()
    page.wait_for_url(re.compile("/findings/"))
    assert one["sentence"][lang] in page.locator("main").inner_text()
    assert page.locator("table tbody tr").count() > 1  # day by day
    page.goto(f"{screens.url}/findings?rule=overdue_promise&state=stands")
    with page.expect_download() as waited:
        page.get_by_role("link", name="CSV").click()
    file = tmp_path / "findings.csv"
    waited.value.save_as(file)
    rows = list(csv.reader(io.StringIO(file.read_text("utf-8-sig"))))
    assert one["finding_id"] in {row[12] for row in rows} and len(rows) > 5


def test_the_first_visit_is_shown_round_once(browse, axe, screens):
    page = browse(f"{screens.url}/")
    for _ in range(4):
        page.locator("#tour [data-next]").click()
    assert page.locator(".pointed").count() == 1 and axe(page) == []
    page.locator("#tour [data-end]").click()
    page.reload()
    page.wait_for_selector('#link[data-state="live"]')
    assert not page.locator("#tour").is_visible()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_page_has_no_barriers(browse, axe, screens, lang):
    page = browse()
    for path in pages_of(screens):
        page.goto(f"{screens.url}{path}{'&' if '?' in path else '?'}lang={lang}")
        page.wait_for_selector("h1", state="attached")
        assert axe(page) == [], path


def test_every_page_fits_a_telephone(browse, axe, screens):
    """A table's row is a card, a wide one scrolls by itself; the page does not."""
    page = browse()
    page.set_viewport_size({"width": 390, "height": 844})
    for path in [*pages_of(screens), "/models/path"]:
        page.goto(f"{screens.url}{path}")
        page.wait_for_selector("h1", state="attached")
        assert page.evaluate("document.documentElement.scrollWidth") == 390, path
        assert axe(page) == [], path
        cards = page.evaluate(
            "[...document.querySelectorAll('.cards')].map((one) => one.parentElement)"
            ".every((one) => one.scrollWidth <= one.clientWidth)"
        )
        assert cards, path


CUT = """() => [...document.querySelectorAll("#findings > li, #due > tr")].filter((row) => {
  const [one, panel] = [row, row.closest(".panel")].map((it) => it.getBoundingClientRect());
  return one.height && one.bottom > panel.bottom;
}).length"""


@pytest.mark.parametrize("size", [(1366, 768), (1920, 1080), (3840, 2160)])
def test_the_wall_shows_a_row_whole_or_not_at_all(browse, screens, size):
    page = browse()
    page.set_viewport_size(dict(zip(("width", "height"), size, strict=True)))
    page.goto(f"{screens.url}/board?lang=en")
    page.wait_for_selector('#link[data-state="live"]')
    assert page.locator("#due > tr:visible").count() >= 8
    assert page.evaluate(CUT) == 0
    page.set_viewport_size({"width": 1366, "height": 700})
    page.wait_for_function(f"({CUT})() === 0")


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_wall_says_what_pages_say(browse, screens, lang):
    """Departments and amounts, of every rule: the wall's module writes what the pages' does."""
    page = browse(f"{screens.url}/board?lang={lang}")
    page.wait_for_selector('#link[data-state="live"]')
    shown = "\n".join(page.locator("#findings li").all_inner_texts())
    assert not re.search(r"[(（]D\d\d[)）]", shown) and "区应急管理局" in shown
    names = screens.web.pages.names(lang)
    sentences = json.loads(page.locator("#start").inner_text())["sentences"]
    some, wanted = {one["rule"]: one for one in screens.every_finding()}, {}
    for rule, one in [*some.items()]:
        told = places_of(one, names.card(rule), names)
        held = {n: p for n, p in told.items() if n == "department" or p.units == MONEY}
        card = names.card(rule)
        text = names.written(card) + "{rest}"
        said = retell(one["sentence"][lang], text, held)
        if rule in sentences:
            wanted[rule] = said
        else:  # the wall shows it as it is stored
            assert said == some.pop(rule)["sentence"][lang]
    written = page.evaluate(
        """async ([found, lang]) => {
          const start = JSON.parse(document.getElementById("start").textContent);
          const { places, retell } = await import("/static/sentence.js");
          const money = new Intl.NumberFormat("en", { minimumFractionDigits: 2 });
          const yuan = (n) => start.words.yuan.replace("{n}", money.format(n));
          const said = (one) => retell(one.sentence[lang], start.sentences[one.rule],
            places(one, (code) => start.departments[code], yuan));
          return Object.fromEntries(found.map((one) => [one.rule, said(one)]));
        }""",
        [list(some.values()), lang],
    )
    assert written == wanted
    assert sum(written[rule] != one["sentence"][lang] for rule, one in some.items()) > 8
