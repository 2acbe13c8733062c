"""Ledgers keep what is committed; each law rejects a ledger that breaks it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import ledger_laws
import pytest
from ledger_laws import LAWS, frame, raised

from detector.ledger import Busy, LedgerError, Position, Query, Work, postgres_open
from detector.ledger.sqlite_file import FILE, Folder, copy_ledger, open_ledger, open_reader
from detector.testing import MemoryLedger

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(params=["sqlite", "memory", "postgres"])
def make(request, tmp_path):
    """A maker of fresh ledgers of one kind."""
    made: list[Any] = []

    def fresh():
        if request.param == "memory":
            made.append(MemoryLedger())
        elif request.param == "sqlite":
            made.append(open_ledger(tmp_path / f"{len(made)}-{FILE}"))
        else:
            server = request.getfixturevalue("postgres")
            name = server.database(request.getfixturevalue("template"))
            made.append(postgres_open.open_ledger(server.address(name), "case-0"))
        return made[-1]

    yield fresh
    for one in made:
        one.close()


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law(make, law):
    law(make)


class NoCompare(MemoryLedger):
    """Takes whatever comes."""

    def commit(self, before, work):
        return super().commit(self.position(), work)


class Forgets(MemoryLedger):
    """Keeps no refusals."""

    def commit(self, before, work):
        return super().commit(before, Work(work.frames, work.moves, [], work.counts))


class Swaps(MemoryLedger):
    """Gives frames in another order."""

    def frames(self, first=1, last=None):
        return iter(list(super().frames(first, last))[::-1])


class Sticks(MemoryLedger):
    """Does not let a finding stand again."""

    def commit(self, before, work):
        return super().commit(before, Work(work.frames, [m for m in work.moves if m.code]))


class Piecemeal(MemoryLedger):
    """Keeps the frames before it looks at the rest."""

    def commit(self, before, work):
        super().commit(before, Work(work.frames))
        return super().commit(self.position(), Work([], work.moves, work.refusals, work.counts))


class Blurred(MemoryLedger):
    """Finds frames by their first input alone."""

    def frame_of(self, event):
        return next((f for f in self.frames() if f.first_event == event), None)


class Rewinds(MemoryLedger):
    """Keeps the first row of a notice."""

    def commit(self, before, work):
        work.notices.rows = [r for r in work.notices.rows if self.notice(r.notice_id) is None]
        return super().commit(before, work)


class Miscounts(MemoryLedger):
    """Counts a notice that has ended as open."""

    def commit(self, before, work):
        work.notices.rows = [replace(row, open=1) for row in work.notices.rows]
        return super().commit(before, work)


class Latest(MemoryLedger):
    """Lets the verdict count that came last."""

    def verdicts_of(self, finding_id):
        return [row for row in self._verdicts if row.finding_id == finding_id]


class Shuffles(MemoryLedger):
    """Tells the epochs of a learner in the order in which they came."""

    def epochs(self, learner=None, limit=100):
        return super().epochs(learner, limit)[::-1]


class Named(MemoryLedger):
    """Takes every frame of one input for a content."""

    def contents(self):
        return [one.seq for one in self._frames if one.n == 1]


class Hasty(MemoryLedger):
    """Forgets what it tells others as soon as it has told something later."""

    def relays(self):
        told = super().relays()
        return [one for one in told if one.seq == told[-1].seq and one.target == told[-1].target]


@pytest.mark.parametrize(
    ("law", "broken"),
    [
        (ledger_laws.law_one_writer, NoCompare),
        (ledger_laws.law_commits_are_read_back, Forgets),
        (ledger_laws.law_the_chain_holds, Swaps),
        (ledger_laws.law_standing_follows_the_moves, Sticks),
        (ledger_laws.law_a_failed_commit_leaves_nothing, Piecemeal),
        (ledger_laws.law_frames_are_bounded, Blurred),
        (ledger_laws.law_notices_are_read_back, Rewinds),
        (ledger_laws.law_boards_add_up, Miscounts),
        (ledger_laws.law_what_is_relayed_waits_until_it_arrived, Hasty),
        (ledger_laws.law_the_last_verdict_counts, Latest),
        (ledger_laws.law_contents_are_found_among_frames, Named),
        (ledger_laws.law_epochs_are_kept_in_their_order, Shuffles),
    ],
)
def test_law_rejects(law, broken):
    with pytest.raises((AssertionError, LedgerError)):
        law(broken)


def test_every_law_has_a_broken_subject():
    marks = test_law_rejects.pytestmark[0].args[1]
    assert {law for law, _ in marks} == set(LAWS)


def test_one_process_at_a_time(tmp_path):
    held = Folder(tmp_path / "data")
    with pytest.raises(LedgerError, match="in use by process"):
        Folder(tmp_path / "data")
    held.close()
    Folder(tmp_path / "data").close()


def test_a_second_writer_waits_and_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "detector.ledger.sqlite_file.SETTINGS", ("PRAGMA journal_mode=WAL", "PRAGMA busy_timeout=1")
    )
    one, other = open_ledger(tmp_path / FILE), open_ledger(tmp_path / FILE)
    other.begin()
    with pytest.raises(Busy, match="locked by another process"):
        one.begin()
    other.abandon()
    one.commit(Position(), Work([frame(Position(), [b"{}"])]))
    one.close()
    other.close()


def test_readers_see_what_is_committed_and_cannot_write(tmp_path):
    ledger = open_ledger(tmp_path / FILE)
    reader = ledger.reader()
    ledger.commit(Position(), Work([], [raised("a", 1)]))
    assert [at for at, _ in reader.findings(Query())] == [1]
    reader.close()
    ledger.close()
    lone = open_reader(tmp_path / FILE)
    assert lone.finding("a") is not None
    with pytest.raises(LedgerError):
        lone._run("DELETE FROM findings")
    lone.close()


def test_a_copy_of_an_open_ledger_is_whole(tmp_path):
    ledger = open_ledger(tmp_path / FILE)
    position = ledger.commit(Position(), Work([frame(Position(), [b"{}"])], [raised("a", 1)]))
    ledger.begin()  # in the middle of a batch
    copy_ledger(tmp_path / FILE, tmp_path / "copy")
    ledger.abandon()
    ledger.close()
    copy = open_reader(tmp_path / "copy")
    assert copy.position() == position and copy.finding("a") is not None
    copy.close()


def test_the_settings_that_durability_rests_on(tmp_path):
    ledger = open_ledger(tmp_path / FILE)
    told = [ledger._run(f"PRAGMA {name}")[0][0] for name in ("journal_mode", "synchronous")]
    assert told == ["wal", 2]
    assert ledger._run("PRAGMA page_size") == [(8_192,)]
    ledger.close()


def test_migrations_make_the_tables_of_the_code(tmp_path):
    from detector.ledger.tables import META

    ledger = open_ledger(tmp_path / FILE)
    for table in META.sorted_tables:
        rows = ledger._run(f"PRAGMA table_info({table.name})")
        assert [(r[1], bool(r[3]) or bool(r[5])) for r in rows] == [
            (c.name, not c.nullable) for c in table.columns
        ]
        names = {r[1] for r in ledger._run(f"PRAGMA index_list({table.name})")}
        assert {i.name for i in table.indexes} <= names
    ledger.close()


def test_not_a_ledger(tmp_path):
    (tmp_path / FILE).write_bytes(b"not a database, for sure not one\n" * 1_000)
    with pytest.raises(LedgerError, match="damaged"):
        open_ledger(tmp_path / FILE)
    with pytest.raises(LedgerError, match="no ledger here"):
        open_reader(tmp_path / "elsewhere")


def test_the_standard_module_opens_no_ledger():
    """Two SQLite libraries on one file drop each other's locks."""
    root = Path(__file__).resolve().parents[1]
    for folder in ("detector", "replay"):
        for path in (root / folder).rglob("*.py"):
            assert "import sqlite3" not in path.read_text("utf-8"), path
