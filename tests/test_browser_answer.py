"""The answer page on a telephone: without script, with a draft that survives, with files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from live_kit import event
from service import Service

from detector.adapters.machine import link_secret
from detector.web.links import Link, Links
from replay.verify import verify

pytestmark = pytest.mark.slow  # a browser, and mostly a server, of its own

SAID = "已核实：当日系统故障，已补录。\n\n整改：加装提醒。"


class Desk:
    """A server, and a link for each of its notices."""

    def __init__(self, data: Path) -> None:
        self.data, self.count = data, 0
        self.service = Service(data)

    def tick(self, minute: int, second: int) -> dict[str, str]:
        """What was done takes effect with the next one."""
        return {"kind": "tick", "at": f"2026-03-02T09:{minute:02d}:{second:02d}+08:00"}

    def effect(self) -> None:
        """Let it take effect."""
        self.service.post(json.dumps(self.tick(2 * self.count + 1, 30)).encode())

    def act(self, notice: str, act: str, actor: str) -> None:
        """Somebody else acts."""
        told = json.dumps({"act": act, "text": "速办", "actor": actor}).encode()
        assert self.service.ask(f"/api/v1/notices/{notice}/acts", told)[0] == 200
        self.effect()

    def notice(self) -> str:
        """A fresh notice of tier 2."""
        self.count += 1
        n, minute = self.count, f"09:{2 * self.count:02d}"
        accept = event(f"a{n}", f"{minute}:00", "accept", case_id=f"c{n}")
        survey = event(f"b{n}", f"{minute}:58", step="survey", operator="P0102", case_id=f"c{n}")
        tick = self.tick(2 * n + 1, 5)
        self.service.post(b"\n".join(json.dumps(x).encode() for x in (accept, survey, tick)))
        [one] = self.service.ask(f"/api/v1/notices?subject=c{self.count}")[1]["items"]
        name: str = one["notice_id"]
        return name

    def link(self, notice: str, issues: int = 1, person: str = "P0105") -> str:
        """The address of the page."""
        token = Links(link_secret(self.data)).token(Link(notice, person, issues))
        return f"http://127.0.0.1:{self.service.port}/n/{token}"

    def whole(self, notice: str) -> dict[str, Any]:
        """The notice with its history."""
        told: dict[str, Any] = self.service.ask(f"/api/v1/notices/{notice}")[1]
        return told


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    one = Desk(tmp_path_factory.mktemp("answers") / "data")
    yield one
    assert one.service.stop() == 0
    assert verify(one.data).fault == ""


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_notice_is_acknowledged_and_answered(browse, desk, script):
    notice = desk.notice()
    page = browse(desk.link(notice), size="phone", java_script_enabled=script)
    assert page.text_content("h1") == "督办通知" and page.get_attribute("html", "lang") == "zh-CN"
    page.get_by_role("button", name="签收").click()
    assert page.text_content(".done") == "已签收。"
    page.get_by_label("反馈").fill(SAID)
    page.get_by_label("情况属实").check()
    page.get_by_role("button", name="提交反馈").click()
    assert "已提交反馈" in (page.text_content(".done") or "")
    assert "正在审核" in page.inner_text("main") and page.locator("button").count() == 0
    desk.effect()
    told = desk.whole(notice)
    assert told["state"] == "answered"
    assert [h["text"] for h in told["history"] if h["reason"] == "answered"] == [SAID]


def test_the_page_has_no_barrier_in_either_language_and_fits_a_telephone(browse, desk, axe):
    link = desk.link(desk.notice())
    page = browse(link, size="phone")
    assert axe(page) == []
    page.get_by_role("link", name="English").click()
    page.wait_for_selector("html[lang=en]")
    assert page.text_content("h1") == "Urging notice" and axe(page) == []
    page.get_by_text("I object to this notice").click()
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    small = page.evaluate(
        """[...document.querySelectorAll("a, button, summary, label.line, input[type=file]")]
        .filter((one) => one.checkVisibility())
        .filter((one) => one.getBoundingClientRect().height < 44).map((one) => one.outerHTML)"""
    )
    assert small == []
    page.emulate_media(color_scheme="dark")
    assert axe(page) == []
    page.get_by_role("link", name="中文").click()
    page.wait_for_selector("html[lang=zh-CN]")


def test_what_was_typed_survives_a_reload_until_it_is_sent_or_cleared(browse, desk):
    notice = desk.notice()
    page = browse(desk.link(notice), size="phone")
    assert page.locator(".restored:visible").count() == 0
    page.get_by_label("反馈").fill(SAID)
    page.reload()
    assert page.get_by_label("反馈").input_value() == SAID
    assert page.locator(".restored:visible").count() == 1
    page.get_by_role("button", name="清除").click()
    page.reload()
    assert page.get_by_label("反馈").input_value() == ""
    page.get_by_label("反馈").fill(SAID)
    page.get_by_role("button", name="提交反馈").click()
    page.wait_for_selector(".done")
    assert page.evaluate("Object.keys(localStorage)") == []


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_what_was_typed_survives_an_answer_that_is_no_success(browse, desk, script):
    notice = desk.notice()
    page = browse(desk.link(notice), size="phone", java_script_enabled=script)
    browse.forgive("400|409|410")
    page.get_by_label("反馈").fill(SAID)
    page.get_by_label("有客观原因").check()
    if script:
        page.evaluate("document.querySelector('form:has(#answer) [name=form]').value = 'old'")
    else:  # the notice moves on meanwhile
        desk.act(notice, "appeal", "P0105")
    page.get_by_role("button", name="提交反馈").click()
    said = page.text_content(".fault") or ""
    if script:
        assert "已保留" in said and page.get_by_label("反馈").input_value() == SAID
        assert page.get_by_label("有客观原因").is_checked()
        page.get_by_role("button", name="提交反馈").click()
        page.wait_for_selector(".done")
    else:
        assert "状态已变化" in said


def test_a_link_that_is_no_longer_good_gives_the_words_back(browse, desk):
    notice = desk.notice()
    page = browse(desk.link(notice), size="phone", java_script_enabled=False)
    page.get_by_label("反馈").fill(SAID)
    desk.act(notice, "urge", "P0804")
    browse.forgive("410")
    page.get_by_role("button", name="提交反馈").click()
    assert "已失效" in (page.text_content("h1") or "")
    assert page.input_value("#kept") == SAID


def test_files_are_enclosed_and_can_be_saved(browse, desk, tmp_path):
    notice = desk.notice()
    report, odd = tmp_path / "整改 报告.pdf", tmp_path / "run.exe"
    report.write_bytes(b"%PDF-1.7\nfine")
    odd.write_bytes(b"MZ\x90\x00")
    page = browse(desk.link(notice), size="phone")
    page.get_by_label("反馈").fill(SAID)
    page.get_by_label("附件").set_input_files([report, odd])
    browse.forgive("415")
    page.get_by_role("button", name="提交反馈").click()
    said = page.text_content(".fault") or ""
    assert "run.exe" in said and "重新选择附件" in said
    assert page.get_by_label("反馈").input_value() == SAID
    page.get_by_label("附件").set_input_files([report])
    page.get_by_role("button", name="提交反馈").click()
    page.wait_for_selector(".done")
    assert "整改 报告.pdf (未经病毒扫描)" in page.inner_text("main")
    [told] = desk.service.ask(f"/api/v1/notices/{notice}/attachments")[1].values()
    [file] = told["files"]
    assert file["type"] == "application/pdf" and not file["scanned"] and told["actor"] == "P0105"
    with page.expect_download() as saved:
        page.evaluate("(to) => { location = to }", f"/api/v1/attachments/{file['sha256']}")
    assert saved.value.suggested_filename == "整改 报告.pdf"
    assert Path(saved.value.path()).read_bytes() == report.read_bytes()


def test_a_file_that_is_too_large_is_told_before_it_is_sent(browse, desk, tmp_path):
    large = tmp_path / "large.txt"
    large.write_bytes(b"a" * (10 * (1 << 20) + 1))
    page = browse(desk.link(desk.notice()), size="phone")
    page.get_by_label("反馈").fill(SAID)
    page.get_by_label("附件").set_input_files([large])
    told = page.eval_on_selector("#files", "(one) => one.validationMessage")
    assert told == "附件“large.txt”超过 10 MB。"
    page.get_by_label("附件").set_input_files([])
    assert page.eval_on_selector("#files", "(one) => one.validationMessage") == ""


def test_a_screen_without_a_chinese_font_fetches_ours_and_no_other_does(browse, desk, no_chinese):
    link = desk.link(desk.notice())
    for fonts, fetches in ((None, False), (no_chinese, True)):
        browse.requests.clear()
        page = browse(link, size="phone", fonts=fonts)
        page.evaluate("document.fonts.ready.then(() => 1)")
        slices = [one for one in browse.requests if one.endswith(".woff2")]
        assert bool(slices) == fetches
        ours = page.evaluate("document.fonts.check('16px \"Noto Sans SC Variable\"', '督办')")
        assert ours == fetches
