"""Files of answers: what is taken, under which name, whose it is, and who may have it again."""

from __future__ import annotations

import hashlib
import io
import json
import re
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient
from web_kit import CannedService

from detector.adapters.scanner import scanner
from detector.enclosures import FILES_MAX as LINE_FILES_MAX
from detector.enclosures import enclosed
from detector.event import FACTS, Reading, Refused, read_fact
from detector.ledger import NoticeRow, NoticeWork, Work
from detector.live import Answer, Fault, Unavailable
from detector.web import answer_form
from detector.web.api import Web, create_app
from detector.web.attachments import FILE_BYTES_MAX, Attached, Attachments, Enclosed, Unfit
from detector.web.file_kinds import ENDINGS, kind_of, shown_name
from detector.web.links import Link, Links
from detector.web.readers import Readers
from detector.web.settings import Settings
from detector.web.who import Who
from detector.workcalendar import Zone

PDF = b"%PDF-1.7\nfine"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
ODT = "application/vnd.oasis.opendocument.text"
V1 = "/api/v1"


def archive(*names: str, first: bytes = b"") -> bytes:
    """A zip file with such parts, the same whenever it is made."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as told:
        for name in names:
            told.writestr(zipfile.ZipInfo(name), first if name == "mimetype" else "x")
    return out.getvalue()


WORD = archive("[Content_Types].xml", "word/document.xml")


# --- what a file is -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PDF, "application/pdf"),
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 20, "image/jpeg"),
        (WORD, DOCX),
        (archive("[Content_Types].xml", "xl/workbook.xml"), DOCX.replace(
            "wordprocessingml.document", "spreadsheetml.sheet")),
        (archive("mimetype", first=ODT.encode()), ODT),
        ("情况说明\r\n".encode(), "text/plain"),
        ("情况说明\n".encode("gb18030"), "text/plain"),
        (b"<html><script>alert(1)</script>", "text/plain"),  # saved, never shown
        (b"", None),
        (b"MZ\x90\0\x03", None),
        (b"\x7fELF\x02\x01", None),
        (b"GIF89a\x01\0\x01\0", None),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0", None),  # the old office: macros cannot be seen
        (archive("a.txt"), None),
        (archive("word/document.xml"), None),
        (archive("[Content_Types].xml", "word/document.xml", "word/vbaProject.bin"), None),
        (archive("mimetype", "Basic/x.xml", first=ODT.encode()), None),
        (archive("mimetype", first=b"application/java-archive"), None),
        (WORD[:-30], None),
        (b"PK\x03\x04" + b"\0" * 40, None),
        (b"text with \x00", None),
        (b"\xff\xfe\x00\x00", None),
    ],
)  # fmt: skip
def test_a_kind_is_told_by_the_content(tmp_path, data, kind):
    (tmp_path / "x.pdf").write_bytes(data)  # whatever it is called
    assert kind_of(tmp_path / "x.pdf") == kind


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("报告.pdf", "报告.pdf"),
        ("报告.PDF", "报告.pdf"),
        ("../../etc/passwd", "passwd.pdf"),
        ("C:\\x\\..\\a.exe", "a.exe.pdf"),
        ("/n/..", "附件.pdf"),
        ("", "附件.pdf"),
        (".pdf", "附件.pdf"),
        ("a\x00\r\n\x1bb.pdf", "a b.pdf"),
        ("fdp.\u202eexe.pdf", "fdp.exe.pdf"),
        ('<img src=x>".pdf', "_img src=x__.pdf"),
        ("a" * 300 + ".pdf", "a" * 76 + ".pdf"),
        ("a%2f..%2fb.pdf", "a_2f.._2fb.pdf"),
    ],
)
def test_a_name_is_made_safe(name, shown):
    assert shown_name(name, "application/pdf") == shown


@given(st.text(max_size=200), st.sampled_from(sorted(ENDINGS)))
def test_no_name_is_a_path_or_invisible(name, kind):
    told = shown_name(name, kind)
    assert told.endswith(ENDINGS[kind]) and 0 < len(told) <= 80 and told.isprintable()
    assert not set(told) & set('/\\<>:"|?*%\0') and told.strip(".") == told
    assert shown_name(told, kind) == told
    assert enclosed([{"name": told, "sha256": "0" * 64, "bytes": 1, "type": kind}])


# --- the folder -----------------------------------------------------------------------------------


def take(held: Attachments, data: bytes, name: str = "a.pdf") -> Attached:
    return held.take(io.BytesIO(data), name)


def test_a_file_is_kept_once_by_its_hash(tmp_path):
    held = Attachments(tmp_path / "attachments")
    one, two = take(held, PDF), take(held, PDF, "b.pdf")
    digest = hashlib.sha256(PDF).hexdigest()
    assert one == Attached("a.pdf", digest, len(PDF), "application/pdf") and two.name == "b.pdf"
    assert [p.name for p in held.folder.iterdir()] == [digest]
    assert held.path(digest).read_bytes() == PDF
    assert stat.S_IMODE(held.path(digest).stat().st_mode) == 0o600
    assert stat.S_IMODE(held.folder.stat().st_mode) == 0o700
    assert held.readers_of(digest) == {}  # no act encloses it


@pytest.mark.parametrize(
    ("data", "why"),
    [(b"", "empty"), (b"MZ\0", "unknown_kind"), (b"a" * (FILE_BYTES_MAX + 1), "too_large")],
    ids=["empty", "unknown", "large"],
)
def test_what_is_not_taken_leaves_nothing(tmp_path, data, why):
    held = Attachments(tmp_path)
    with pytest.raises(Unfit) as told:
        take(held, data)
    assert told.value.why == why and list(tmp_path.iterdir()) == []
    assert take(held, b"a" * FILE_BYTES_MAX, "a.txt").bytes == FILE_BYTES_MAX


def test_an_act_encloses_the_same_files_for_ever(tmp_path):
    held = Attachments(tmp_path)
    one, other = take(held, PDF), take(held, PNG, "b.png")
    assert held.enclose("n1", "a1", Enclosed("P1", [one]))
    assert held.enclose("n1", "a1", Enclosed("P1", [one]))  # sent twice
    assert not held.enclose("n1", "a1", Enclosed("P1", [one, other]))
    assert held.enclose("n2", "a2", Enclosed("P2", [one, other]))
    assert held.of("n1") == {"a1": Enclosed("P1", [one])}
    assert held.readers_of(one.sha256) == {"n1": one, "n2": one}
    held.forget("n1", "a1")
    assert held.of("n1") == {} and set(held.readers_of(one.sha256)) == {"n2"}
    for notice, act in (("../n", "a"), ("n", "../a"), ("", "a"), ("n" * 65, "a"), ("n", "a/b")):
        with pytest.raises(ValueError):
            held.enclose(notice, act, Enclosed("P1", [one]))
        assert held.of(notice) == {} or notice == "n"
    for odd in ("..", "", "../" + one.sha256, one.sha256.upper(), one.sha256 + "\n"):
        assert held.readers_of(odd) == {}
    assert not list(tmp_path.glob("half-*"))


@pytest.mark.parametrize(
    ("script", "taken"),
    [
        ('test -f "$1"', True),
        ("exit 1", False),
        ('grep -q EICAR "$1" && exit 2; exit 0', True),
        ("exec sleep 60", False),
        (None, False),
    ],
)
def test_a_file_passes_the_scanner_of_the_house(tmp_path, script, taken):
    program = tmp_path / "scan"
    if script is not None:
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    held = Attachments(tmp_path / "held", scanner(str(program), timeout_s=1))
    assert held.scans
    if taken:
        assert take(held, PDF).scanned
        return
    with pytest.raises(Unfit, match="not_clean"):
        take(held, PDF)
    assert list(held.folder.iterdir()) == []


def test_without_a_scanner_nothing_is_said_to_be_clean(tmp_path):
    held = Attachments(tmp_path, scanner(""))
    assert not held.scans and not take(held, PDF).scanned


# --- the act's line -------------------------------------------------------------------------------

FILE = {"name": "报告.pdf", "sha256": "0a" * 32, "bytes": 7, "type": "application/pdf"}
ACT = {"act_id": "x", "notice_id": "n1", "act": "answer", "actor": "P1", "text": "已核实",
       "at": "2026-03-02T09:00:00+08:00"}  # fmt: skip
HOW = Reading(Zone("Asia/Shanghai"))


def test_an_answer_names_its_files_by_their_hashes():
    told = read_fact("act", ACT | {"attachments": [FILE, FILE]}, HOW).fields["attachments"]
    assert list(told) == [FILE, FILE]
    assert read_fact("act", ACT | {"attachments": ["a.pdf"]}, HOW).fields["attachments"] == (
        "a.pdf",
    )
    assert "attachments" not in read_fact("act", ACT | {"attachments": []}, HOW).fields
    assert FACTS["act"]["attachments"] == "files"


@pytest.mark.parametrize(
    "files",
    [
        [FILE | {"bytes": -1}], [FILE | {"bytes": True}], [FILE | {"bytes": "7"}],
        [FILE | {"sha256": "0a"}], [FILE | {"sha256": "0A" * 32}], [FILE | {"sha256": None}],
        [FILE | {"name": ""}], [FILE | {"name": "a\nb"}], [FILE | {"name": "a" * 256}],
        [FILE | {"name": "\ud800"}], [FILE | {"more": 1}], [{}], [FILE, "a.pdf"], FILE,
        [{k: v for k, v in FILE.items() if k != "type"}], [FILE] * (LINE_FILES_MAX + 1),
    ],
)  # fmt: skip
def test_files_that_are_named_wrongly_are_refused(files):
    with pytest.raises(Refused, match="attachments"):
        read_fact("act", ACT | {"attachments": files}, HOW)


# --- over HTTP ------------------------------------------------------------------------------------


def row(name: str, department: str = "D01", **more: Any) -> NoticeRow:
    """A notice that may be answered."""
    doc = {
        "notice_id": name, "tier": 2, "state": "issued", "subject": "c1", "department": department,
        "issued_at": "2026-03-02T09:00:00+08:00", "acknowledge_by": None, "answer_by": None,
        "finish_by": None, "by_hand": None, "issues": 1,
    }  # fmt: skip
    told = json.dumps(doc | more).encode()
    return NoticeRow(name, "case", "c1", department, 2, 1, "issued", 1, 1, None, told)


class House:
    """A web with links and a folder for files, over a service that answers as told."""

    def __init__(self, folder: Path) -> None:
        self.service = CannedService()
        ledger = self.service.ledger
        rows = [row("n1"), row("n2", "D02")]
        ledger.commit(ledger.position(), Work(notices=NoticeWork(rows=rows)))
        self.readers = Readers(ledger.reader)
        self.links, self.files = Links(b"a" * 32), Attachments(folder / "attachments")
        self.web = Web(self.service, self.readers, Zone("Asia/Shanghai"), Settings(),
                       links=self.links, attachments=self.files)  # fmt: skip
        self.client = TestClient(create_app(self.web), base_url="http://localhost")

    def path(self, notice: str = "n1", issues: int = 1) -> str:
        return f"/n/{self.links.token(Link(notice, 'P1', issues))}"

    def form(self, path: str) -> str:
        """The name of a form that was given out."""
        page = self.client.get(path).text
        return re.findall(r'name="form" value="(\w+)"', page)[1]

    def send(self, path: str, *files: tuple[str, bytes], form: str = "", **words: str) -> Any:
        told = {"form": form or self.form(path), "act": "answer", "text": "已核实"} | words
        parts = [("files", (name, data, "image/png")) for name, data in files]
        return self.client.post(path, data=told, files=parts or {"files": ("", b"")})

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self.service.bodies]


@pytest.fixture
def house(tmp_path):
    one = House(tmp_path)
    with one.client:
        yield one
    one.readers.close()


def test_an_answer_takes_its_files_along(house):
    assert house.send(house.path(), ("../a.pdf", PDF), ("说明", "好".encode())).status_code == 200
    [line] = house.lines()
    assert [(f["name"], f["type"]) for f in line["attachments"]] == [
        ("a.pdf", "application/pdf"), ("说明.txt", "text/plain"),
    ]  # fmt: skip
    [told] = house.client.get(f"{V1}/notices/n1/attachments").json().values()
    assert [{k: f[k] for k in FILE} for f in told["files"]] == line["attachments"]
    saved = house.client.get(f"{V1}/attachments/{line['attachments'][1]['sha256']}")
    assert saved.content.decode() == "好"
    assert saved.headers["content-disposition"] == (
        "attachment; filename=\"__.txt\"; filename*=UTF-8''%E8%AF%B4%E6%98%8E.txt"
    )
    assert saved.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in saved.headers["content-security-policy"]
    assert "说明.txt" in house.client.get(house.path()).text


def test_an_answer_without_files_names_none(house):
    assert house.send(house.path()).status_code == 200
    [line] = house.lines()
    assert "attachments" not in line and line["text"] == "已核实"


@pytest.mark.parametrize(
    ("files", "status", "said"),
    [
        ([("a.png", b"MZ\0")], 415, "a.png"),
        ([("a.png", b"")], 400, "是空的"),
        ([("a.txt", b"a" * (FILE_BYTES_MAX + 1))], 413, "10 MB"),
        ([("a.pdf", PDF)] * 6, 413, "5 个"),
        ([("a.pdf", PDF), ("<b>.exe", b"MZ\0")], 415, "_b_.exe"),
    ],
)
def test_files_that_are_not_taken_are_told_and_the_words_stay(house, files, status, said):
    told = house.send(house.path(), *files, text="写了很久 <b>", confirmed="1")
    assert told.status_code == status and said in told.text and "重新选择附件" in told.text
    assert "写了很久 &lt;b&gt;" in told.text and "checked" in told.text
    assert house.lines() == [] and house.files.of("n1") == {}


def test_what_is_too_large_as_a_whole_is_told_on_the_page(house, monkeypatch):
    monkeypatch.setattr(answer_form, "FORM_BYTES_MAX", 1_000)
    told = house.send(house.path(), ("a.txt", b"a" * 100_000))
    assert told.status_code == 413 and "附件总量过大" in told.text and house.lines() == []


@pytest.mark.parametrize(
    "body",
    [b"", b"--x", b"--x\r\n\r\n\r\n--x--", b"--y\r\nContent-Disposition: form-data\r\n\r\nz",
     b'--x\r\nContent-Disposition: form-data; name="f"\r\n\r\n' + b"z" * 70_000 + b"\r\n--x--"],
    ids=range(5),
)  # fmt: skip
def test_a_form_that_cannot_be_read_is_refused(house, body):
    kind = {"content-type": "multipart/form-data; boundary=x"}
    assert house.client.post(house.path(), content=body, headers=kind).status_code == 400
    assert house.lines() == []


def test_only_a_link_that_was_made_here_is_listened_to(house):
    path = house.path()
    form = house.form(path)
    forged = [
        f"/n/{Links(b'b' * 32).token(Link('n1', 'P1', 1))}", path[:-2], path + "A" * 400,
        "/n/..%2f..%2fx", "/n/x",
    ]  # fmt: skip
    for other in forged:
        told = house.send(other, ("a.pdf", PDF), form=form)
        assert told.status_code == 404 and "已核实" not in told.text, other
    stale = house.send(house.path(issues=2), ("a.pdf", PDF), form=form)
    assert stale.status_code == 410 and "已核实" in stale.text
    for odd in ("x", "0" * 56, form[:-1], house.links.form("other")):
        assert house.send(path, ("a.pdf", PDF), form=odd).status_code == 400
    assert house.send(house.path("n2"), ("a.pdf", PDF), form=form).status_code == 400
    assert house.lines() == [] and not house.files.folder.exists()


def test_a_form_that_is_sent_again_brings_no_other_files(house):
    path = house.path()
    form = house.form(path)
    for _ in range(2):
        assert house.send(path, ("a.pdf", PDF), form=form).status_code == 200
    told = house.send(path, ("b.png", PNG), form=form)
    assert told.status_code == 409 and len(house.lines()) == 2
    [held] = house.files.of("n1").values()
    assert [one.name for one in held.files] == ["a.pdf"]


@pytest.mark.parametrize(
    ("said", "status", "kept"),
    [
        (Answer(0, 0, [Fault(1, "text", "is too long")]), 400, False),
        (Unavailable("the queue is full", 429, 1), 429, False),
        (Unavailable("the service is stopping", 503, 2), 503, True),  # it may have been journalled
    ],
)
def test_words_and_files_when_the_act_is_not_taken(house, said, status, kept):
    house.service.answer = said
    told = house.send(house.path(), ("a.pdf", PDF), text="写了很久")
    assert told.status_code == status and "写了很久" in told.text
    assert bool(house.files.of("n1")) == kept
    digest = hashlib.sha256(PDF).hexdigest()
    assert house.client.get(f"{V1}/attachments/{digest}").status_code == (200 if kept else 404)


def test_a_file_is_for_those_who_see_its_notice(house, monkeypatch):
    for notice in ("n1", "n2"):
        house.send(house.path(notice), (f"{notice}.pdf", PDF))
    address = f"{V1}/attachments/{hashlib.sha256(PDF).hexdigest()}"
    for who, status, name in (
        (Who("a", "supervisor", ("D01",)), 200, "n1.pdf"),
        (Who("a", "supervisor", ("D02",)), 200, "n2.pdf"),
        (Who("a", "supervisor", ("D03",)), 404, ""),
        (Who("a", "admin"), 403, ""),
    ):
        monkeypatch.setattr("detector.web.doorman.LOCAL_ADMIN", who)
        told = house.client.get(address)
        assert told.status_code == status
        assert name in told.headers.get("content-disposition", "")
    monkeypatch.setattr("detector.web.doorman.LOCAL_ADMIN", Who("a", "supervisor", ("D02",)))
    assert house.client.get(f"{V1}/notices/n1/attachments").status_code == 404
    assert house.client.get(f"{V1}/notices/n2/attachments").status_code == 200
    monkeypatch.undo()
    for odd in ("..%2flinks.key", "%2e%2e", "x", "0" * 64, "notices"):
        assert house.client.get(f"{V1}/attachments/{odd}").status_code == 404
