"""Official documents say what they must, escape what they are told, and print as they look."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
from datetime import datetime
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import msgspec
import pytest
from conftest import ON_CI, ROOT
from pypdf import PdfReader

from detector.documents import Entry, Paper, words
from detector.documents.pdf import INSTALL, NoPrinter, pdf
from detector.documents.render import render
from detector.verdict import Text
from detector.workcalendar import build_calendar

ZONE = build_calendar("none", "Asia/Shanghai", [["09:00", "17:00"]]).zone
A4_PT = (595.28, 841.89)


def at(text: str) -> int:
    """µs UTC of a reading of the district's clock."""
    return int(datetime.fromisoformat(f"{text}+08:00").timestamp()) * 1_000_000


def entry(n: int) -> Entry:
    """A finding with a number in its sentence."""
    return Entry(
        finding_id=f"{n:032x}", item_name="危险化学品经营许可", at="2026-03-02T09:00:58+08:00",
        sentence=Text(f"办件 {n}：距上一环节仅 58 秒。", f"Case {n}: 58 s after the step before."),
        basis="县报告（已公布）",
    )  # fmt: skip


def paper(n: int = 1, **changes) -> Paper:
    """A document of `n` findings."""
    told = Paper(
        notice_id="6f1d2c3b", tier=2, level=1, district="示例区", issuing_body="示例区监察委员会",
        department_name="应急管理局", issued_at=at("2026-03-02T10:23:59"),
        findings=tuple(entry(k) for k in range(1, n + 1)), serial="示例区监督〔2026〕D07-3号",
        acknowledge_by=at("2026-03-03T10:23:59"), answer_by=at("2026-03-09T10:23:59"),
        finish_by=at("2026-03-30T17:30:00"), recipients=("王志远", "李明"),
    )  # fmt: skip
    return msgspec.structs.replace(told, **changes)


class Reading(HTMLParser):
    """The texts of a page, its elements, and every attribute that could fetch something."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.elements: list[str] = []
        self.addresses: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.addresses += [v for k, v in attrs if k in ("src", "href", "data", "action", "style")]

    def handle_data(self, data):
        if data.strip() and self.elements[-1] != "style":
            self.texts.append(data.strip())


# --- the page -----------------------------------------------------------------------------------


def test_what_a_page_says():
    texts = Reading(render(paper(), ZONE)).texts
    for wanted in (
        "示例区监察委员会", "示例区监督〔2026〕D07-3号", "督办通知书", "应急管理局：",
        "经示例区电子监察系统核查，你单位在行政权力运行中存在下列情形，现予督办。",
        "一、存在情形", "编号", "事项", "情形", "时间", "依据", f"{1:032x}", "危险化学品经营许可",
        "办件 1：距上一环节仅 58 秒。", "2026-03-02", "09:00:58", "县报告（已公布）",
        "二、办理要求", "（一）于2026年3月3日10时23分前签收本通知；",
        "（二）于2026年3月9日10时23分前书面答复，说明原因、责任和处理情况；",
        "（三）于2026年3月30日17时30分前办结，并反馈结果。", "接收人：王志远、李明",
        "通知编号：6f1d2c3b", "2026年3月2日",
    ):  # fmt: skip
        assert wanted in texts, wanted
    assert any("提出申诉" in text for text in texts)


def test_the_other_tier_and_level():
    html = render(paper(3, tier=3, level=2, opinion="请举一反三。"), ZONE)
    texts = Reading(html).texts
    assert "整改通知书" in texts and "督办通知书" not in html
    assert any("下列3项情形，现要求限期整改。" in text for text in texts)
    assert any("控制中心提级发出" in text for text in texts) and "意见：请举一反三。" in texts
    with pytest.raises(KeyError):
        render(paper(tier=1), ZONE)


def test_a_page_in_english():
    html = render(paper(2, language="en", issuing_body="Office of Supervision"), ZONE)
    texts = Reading(html).texts
    assert '<html lang="en">' in html and "Urging Notice" in texts
    assert "(a) acknowledge this notice by 3 March 2026, 10:23;" in texts
    assert "Case 2: 58 s after the step before." in texts and "2 March 2026" in html
    own = re.sub(
        "示例区监督|示例区|危险化学品经营许可|县报告|已公布|应急管理局|王志远|李明|号", "", html
    )
    assert not re.search("[\u4e00-\u9fff]", own)


def test_without_deadlines_number_or_recipients():
    bare = paper(acknowledge_by=None, answer_by=None, finish_by=None, serial="", recipients=())
    texts = Reading(render(bare, ZONE)).texts
    assert "（一）及时处理，并书面反馈结果。" in texts and "（未编号）" in texts
    assert not any(text.startswith("接收人") for text in texts)


def test_neither_language_lacks_a_word():
    found = [one for one in vars(words).values() if isinstance(one, Text)]
    for table in (words.TITLES, words.ORDERS, words.LABELS, words.DEMANDS):
        found += table.values()
    found += words.NOTES
    assert len(found) > 20 and all(one.zh and one.en for one in found)
    fields = [[re.findall(r"{\w+}", one.zh), re.findall(r"{\w+}", one.en)] for one in found]
    assert all(zh == en for zh, en in fields)


EVIL = """<script src="http://x/">'&"</script><img src=x onerror=a>{{ 7*7 }}</style>"""


def test_everything_is_escaped():
    one = Entry(finding_id=EVIL, sentence=Text(EVIL, EVIL), at=EVIL, basis=EVIL, item_name=EVIL)
    names = ("notice_id", "district", "issuing_body", "department_name", "serial", "opinion")
    changes: dict[str, Any] = dict.fromkeys(names, EVIL)
    told = paper(findings=(one,), recipients=(EVIL,), **changes)
    for language in ("zh", "en"):
        html = render(msgspec.structs.replace(told, language=language), ZONE)
        clean = Reading(render(paper(opinion="x", language=language), ZONE))
        found = Reading(html)
        assert sorted(set(found.elements)) == sorted(set(clean.elements))
        assert found.addresses == clean.addresses == ["text-align: center"] * 2
        assert "{{ 7*7 }}" in html and "<script" not in html
        assert html.count("</style>") == 1


def test_a_page_fetches_nothing():
    html = render(paper(), ZONE)
    assert not re.search(r"https?:|url\(|@import|<script|<link|<img", html)


# --- the print ----------------------------------------------------------------------------------

PROBE = (
    "from detector.documents.pdf import pdf; import subprocess, sys;"
    "sys.exit(not pdf('x').startswith(b'%PDF') or"
    " 'Noto Serif CJK SC' not in subprocess.check_output(['fc-list'], text=True))"
)


def prints() -> bool:
    """Can a process print, with the faces that documents are set in?"""
    probe = subprocess.run([sys.executable, "-c", PROBE], cwd=ROOT, capture_output=True)
    return probe.returncode == 0


@pytest.fixture(scope="module")
def printer():
    """Everything that printing needs; installed where this user may, else said."""
    if prints():
        return
    packages = INSTALL.partition("apt-get install ")[2].split()
    if os.geteuid() == 0 and shutil.which("apt-get"):
        for command in (["update", "-q"], ["install", "-y", "-q", *packages]):
            subprocess.run(["apt-get", *command], capture_output=True, check=False)
    if prints():
        return
    if ON_CI:
        pytest.fail(f"documents cannot be printed: {INSTALL}")
    pytest.skip(f"documents cannot be printed: {INSTALL}")


def pages(data: bytes) -> list[str]:
    """Each page's text, without blanks."""
    return ["".join(page.extract_text().split()) for page in PdfReader(io.BytesIO(data)).pages]


@pytest.mark.parametrize("tier", [2, 3])
def test_printed_on_a4_and_searchable(printer, tier, caplog):
    data = pdf(render(paper(tier=tier), ZONE))
    assert caplog.records == []  # the printer understood every line of the style
    for page in PdfReader(io.BytesIO(data)).pages:
        size = (float(page.mediabox.width), float(page.mediabox.height))
        assert size == pytest.approx(A4_PT, abs=0.1)
    text = "".join(pages(data))
    title = {2: "督办通知书", 3: "整改通知书"}[tier]
    for wanted in (title, "示例区监督〔2026〕D07-3号", "办件1：距上一环节仅58秒。", "签收本通知"):
        assert wanted in text, wanted
    meta = PdfReader(io.BytesIO(data)).metadata
    assert meta is not None and meta.author == "示例区监察委员会"
    assert meta.title == f"{title} 示例区监督〔2026〕D07-3号"


def test_the_faces_are_in_the_file(printer):
    """A letter that no face has would print as a box; a face outside the file as any other."""
    faces = set()
    for page in PdfReader(io.BytesIO(pdf(render(paper(), ZONE)))).pages:
        for font in page["/Resources"]["/Font"].values():  # type: ignore[index]
            below = font.get_object().get("/DescendantFonts", [font])[0].get_object()
            described = below["/FontDescriptor"].get_object()
            assert {"/FontFile2", "/FontFile3"} & set(described)
            faces.add(str(described["/FontName"]))
    assert all("Noto-Serif-CJK-SC" in face for face in faces), faces


def test_a_long_table_repeats_its_head(printer):
    told = pages(pdf(render(paper(30), ZONE)))
    rows = [n for n, text in enumerate(told) if "距上一环节" in text]
    assert len(told) > 3 and len(rows) > 2
    for n, text in enumerate(told):
        assert ("编号事项情形时间依据" in text) == (n in rows)
        assert f"—{n + 1}—" in text
    for k in range(1, 31):
        assert sum(f"办件{k}：" in text for text in told) == 1  # and no row is cut in two
        page = next(text for text in told if f"办件{k}：" in text)
        assert f"{k:032x}" in page
    assert "提出申诉" in told[-1] and "印发" in told[-1]


PRINT = """
import sys
sys.path[:0] = ["tests"]
from test_documents import ZONE, paper, pdf, render
sys.stdout.buffer.write(pdf(render(paper(5, tier=3), ZONE)))
"""


def test_the_same_bytes_on_every_run(printer):
    runs = []
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", PRINT]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)
        runs.append(done.stdout)
    assert runs[0] == runs[1] and runs[0].startswith(b"%PDF")
    assert pdf(render(paper(5, tier=3), ZONE)) == runs[0]
    assert pdf(render(paper(6, tier=3), ZONE)) != runs[0]


@pytest.fixture
def door():
    """A server on loopback that notes what is asked of it: (address, paths)."""
    asked: list[str] = []

    class Notes(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *told):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Notes)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_printing_reads_no_file_and_calls_no_address(printer, door, tmp_path):
    address, asked = door
    drawing = '<svg xmlns="http://www.w3.org/2000/svg"><text y="20">secret</text></svg>'
    (tmp_path / "a.svg").write_text(drawing, "utf-8")
    link, rel = (tmp_path / "a.svg").as_uri(), '<link rel="attachment" href='
    html = f'<style>@import "{address}/a.css";</style><img src="{address}/b.png"><img src="{link}">'
    data = pdf(f'{html}{rel}"{link}"><p>text</p>')
    assert asked == [] and pages(data) == ["text"]
    assert b"/EmbeddedFile" not in data
    import weasyprint

    weasyprint.HTML(string=f"{html}<p>text</p>").write_pdf()  # unguarded, it would have asked
    assert set(asked) == {"/a.css", "/b.png"}


def test_without_the_printer_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with pytest.raises(NoPrinter, match=r"oriole\[pdf\].*fonts-noto-cjk"):
        pdf("x")
