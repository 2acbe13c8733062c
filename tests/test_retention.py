"""Files of answers: copied and put back by a backup, and how long they are kept."""

from __future__ import annotations

import hashlib
import io
import json
import os
from dataclasses import replace

import pytest
from live_kit import ACCEPT, Live
from test_accounts_cli import oriole
from test_attachments import PDF, PNG, V1, House, row

from detector.accounts.audit import Wanted
from detector.ledger import LedgerError, NoticeStep, NoticeWork, Work
from detector.ledger.sqlite_file import FILE, open_ledger
from detector.registry import Registry
from detector.values import DAY_US
from detector.web.attachment_copies import copy_attachments
from detector.web.attachments import ATTACHMENTS, Attachments, Enclosed
from detector.web.retention import ACT, DROP, Retention

DAYS = 30
SHARED, OWN = (hashlib.sha256(data).hexdigest() for data in (PDF, PNG))


def fill(held: Attachments, **of: tuple[bytes, ...]) -> None:
    """By notice: what an act on it encloses."""
    for notice, files in of.items():
        taken = [held.take(io.BytesIO(data), "a.pdf") for data in files]
        assert held.enclose(notice, f"act-{notice}", Enclosed("P1", taken))


# --- backups --------------------------------------------------------------------------------------


@pytest.fixture
def data(tmp_path):
    """A data folder with a ledger, and a file that an act on a notice encloses."""
    folder = tmp_path / "data"
    folder.mkdir()
    live = Live(open_ledger(folder / FILE))
    live.post(ACCEPT)
    live.stop()
    live.ledger.close()
    fill(Attachments(folder / ATTACHMENTS), n1=(PDF, PNG))
    return folder


def test_a_file_of_an_answer_opens_after_backup_and_restore(data, tmp_path):
    file, fresh = tmp_path / "b", tmp_path / "fresh"
    told = json.loads(oriole("backup", file, "--data", data, "--json").stdout)
    assert (told["attachments"], told["files"]) == (f"{file}.attachments", 2)
    oriole("backup", file, "--data", data, code=2)
    oriole("restore", file, "--data", fresh)
    house = House(fresh)
    with house.client:
        saved = house.client.get(f"{V1}/attachments/{SHARED}")
        assert saved.status_code == 200 and saved.content == PDF
        assert hashlib.sha256(saved.content).hexdigest() == SHARED
    house.readers.close()
    held = Attachments(data / ATTACHMENTS).of("n1")
    assert Attachments(fresh / ATTACHMENTS).of("n1") == held
    assert (fresh / ATTACHMENTS / SHARED).stat().st_mode & 0o777 == 0o600
    assert (fresh / ATTACHMENTS).stat().st_mode & 0o777 == 0o700


def test_restore_takes_nothing_over(data, tmp_path):
    file, fresh = tmp_path / "b", tmp_path / "fresh"
    oriole("backup", file, "--data", data)
    (fresh / ATTACHMENTS).mkdir(parents=True)
    oriole("restore", file, "--data", fresh, code=2)
    assert not (fresh / FILE).exists()


def test_a_file_that_is_not_what_its_name_says_is_not_copied(data, tmp_path):
    (data / ATTACHMENTS / SHARED).write_bytes(PDF + b"!")
    with pytest.raises(LedgerError, match="not what its name says"):
        copy_attachments(data / ATTACHMENTS, tmp_path / "copy")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    oriole("backup", tmp_path / "b", "--data", data, code=2)


# --- how long they are kept -----------------------------------------------------------------------


class Kept:
    """Two notices closed on day 10 and 40, one open, one that the ledger does not know yet."""

    def __init__(self, folder, kind=Retention, days=DAYS):
        self.house, self.now, self.wall = House(folder), 0, 0
        self.log = list[str]()
        self.files = self.house.files
        rows = [replace(row(name), state="closed", open=0) for name in ("old", "new")]
        rows.append(row("open"))
        steps = [NoticeStep("old", 10 * DAY_US, "P1", "answered", "closed", ""),
                 NoticeStep("new", 40 * DAY_US, "P1", "answered", "closed", "")]  # fmt: skip
        ledger = self.house.service.ledger
        ledger.commit(ledger.position(), Work(notices=NoticeWork(rows=rows, steps=steps)))
        fill(self.files, old=(PDF, PNG), new=(PNG,), open=(PDF,), unknown=(PDF,))
        self.registry = Registry("", folder)
        self.keeps = kind(self.files, ledger.reader, self.registry.audit, lambda: self.now, days,
                          lambda what, **_: self.log.append(what),
                          lambda: self.wall)  # fmt: skip

    def look(self, day):
        self.now = day * DAY_US
        return self.keeps.look()

    def removed(self, act=ACT):
        """Of which notices, as the audit tells."""
        lines = self.registry.audit.lines(Wanted(act=act))
        return {one.object: json.loads(one.detail) for one in lines}

    def close(self):
        self.house.readers.close()
        self.registry.close()


def law(kept: Kept) -> None:
    """What is kept long enough goes, with a row of the audit, and nothing else does."""
    assert kept.look(39) == [] and kept.removed() == {}
    assert kept.look(40) == []  # another notice encloses each of its files
    assert kept.removed() == {"old": {"files": sorted([SHARED, OWN]), "kept_days": DAYS}}
    assert kept.files.of("old") == {} and kept.files.readers_of(OWN).keys() == {"new"}
    assert kept.look(70) == [OWN] and kept.removed().keys() == {"old", "new"}
    assert kept.look(10_000) == []
    assert kept.files.readers_of(SHARED).keys() == {"open", "unknown"}
    assert kept.files.path(SHARED).read_bytes() == PDF and not kept.files.path(OWN).exists()
    assert kept.files.notices() == ["open", "unknown"]


def test_files_are_kept_for_so_long_and_what_is_open_for_ever(tmp_path):
    kept = Kept(tmp_path)
    law(kept)
    fill(kept.files, new=(PNG,))
    assert kept.files.path(OWN).exists()
    kept.close()


class Hasty(Retention):
    """Does not ask whether a notice is open."""

    def _over(self, reader, notice):
        return reader.notice(notice) is not None


class Silent(Retention):
    """Tells nobody."""

    def _remove(self, notice):
        return self._attachments.remove(notice)


@pytest.mark.parametrize("kind", [Hasty, Silent])
def test_the_law_rejects_who_removes_too_much_or_in_silence(tmp_path, kind):
    kept = Kept(tmp_path, kind)
    with pytest.raises(AssertionError):
        law(kept)
    kept.close()


def test_nothing_is_removed_that_cannot_be_audited(tmp_path):
    kept = Kept(tmp_path)

    def broken(deed):
        raise LedgerError("the disk is full")

    kept.keeps._audit.write = broken
    with pytest.raises(LedgerError):
        kept.look(10_000)
    assert kept.files.notices() == ["new", "old", "open", "unknown"]
    kept.close()


def test_an_act_does_not_enclose_what_was_removed_meanwhile(tmp_path):
    kept = Kept(tmp_path)
    taken = kept.files.take(io.BytesIO(PNG), "a.png")
    kept.files.path(OWN).unlink()
    assert not kept.files.enclose("open", "late", Enclosed("P1", [taken]))
    assert kept.files.of("open").keys() == {"act-open"}
    kept.close()


# --- what no act encloses -------------------------------------------------------------------------


def age(kept: Kept, at_us: int, *names: str) -> None:
    """Files as if they had come at an instant."""
    for name in names:
        for path in (kept.files.path(name), *(kept.files.folder / "of" / name).glob("*")):
            os.utime(path, ns=(at_us * 1000, at_us * 1000))


def law_of_loose(kept: Kept) -> None:
    """A file that no act encloses goes a day after it came, with a row of the audit; what an act
    encloses, or is about to, stays."""
    came = 100 * DAY_US
    sent, refused, late = (
        kept.files.take(io.BytesIO(data), "a.txt") for data in (b"one", b"two", b"three")
    )
    half = "half-0123456789abcdef"
    (kept.files.folder / half).write_bytes(b"broke off")
    assert kept.files.enclose("n", "refused", Enclosed("P1", [refused]))
    kept.files.forget("n", "refused")
    assert kept.files.enclose("m", "marked", Enclosed("P1", [late]))
    kept.files.forget("m", "marked")
    age(kept, came, sent.sha256, refused.sha256, half, SHARED, OWN)
    os.utime(kept.files.path(late.sha256), ns=(came * 1000, came * 1000))  # its mark is fresh
    kept.wall = came + DAY_US
    assert kept.keeps.look() == [] and kept.log == []
    kept.wall += 1
    gone = sorted([sent.sha256, refused.sha256, half])
    assert kept.keeps.look() == gone and kept.log == ["attachments_dropped"]
    assert kept.removed(DROP) == {"": {"files": gone, "kept_days": 1}}
    assert kept.keeps.look() == [] and kept.removed() == {}
    left = {path.name for path in kept.files.folder.iterdir() if path.is_file()}
    assert left == {SHARED, OWN, late.sha256, "lock"}
    assert kept.files.readers_of(SHARED).keys() == {"old", "open", "unknown"}


@pytest.mark.parametrize("days", [0, 10_000])
def test_a_file_that_no_act_encloses_goes_after_a_day(tmp_path, days):
    kept = Kept(tmp_path, days=days)
    law_of_loose(kept)
    kept.close()


class Rash(Attachments):
    """Asks for marks alone, however old the file is."""

    def _loose(self, name, before_us):
        return len(name) == 64 and not any(self._marks(name))


class Unasked(Attachments):
    """Removes whatever is old."""

    def readers_of(self, sha256):
        return {}


@pytest.mark.parametrize("kind", [Rash, Unasked])
def test_the_law_of_loose_files_rejects_who_does_not_look(tmp_path, kind):
    kept = Kept(tmp_path, days=0)
    kept.keeps._attachments.__class__ = kind
    with pytest.raises(AssertionError):
        law_of_loose(kept)
    kept.close()
