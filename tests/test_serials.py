"""Documents are numbered without gaps, whoever asks at once and whoever is killed meanwhile."""

from __future__ import annotations

import subprocess
import sys
from threading import Barrier, BrokenBarrierError

import pytest
import serial_laws
from conftest import ROOT
from serial_laws import LAWS

from detector.documents.serial import PATTERNS, Serials, format_serial, pattern_fault, serial_year
from detector.ledger import LedgerError, Position, Work, postgres_open
from detector.ledger.sqlite_file import FILE, open_ledger, open_serials
from detector.testing import MemorySerials
from detector.workcalendar import build_calendar


@pytest.fixture
def file(tmp_path):
    """An empty ledger's file."""
    open_ledger(tmp_path / FILE).close()
    return tmp_path / FILE


@pytest.fixture(params=["sqlite", "memory", "postgres"])
def make(request, file):
    """A maker of doors to one book."""
    made: list[Serials] = []

    def door():
        if request.param == "memory":
            made.append((made or [book])[0])
        elif request.param == "sqlite":
            made.append(open_serials(file))
        else:
            made.append(postgres_open.open_serials(place))
        return made[-1]

    book, place = MemorySerials(), ""
    if request.param == "postgres":
        server = request.getfixturevalue("postgres")
        place = server.address(server.database(request.getfixturevalue("template")))
    yield door
    for one in made:
        one.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law(make, law):
    law(make)


def test_a_book_that_was_busy_gives_numbers_again(file):
    """Where the lock could not be had, nothing was begun: the door stays open."""
    writer, serials = open_ledger(file), open_serials(file)
    serials._connection.execute("PRAGMA busy_timeout=1")
    writer.begin()
    with pytest.raises(LedgerError, match="locked"):
        serials.number("n1", "D01", 2026, "urge", 1)
    writer.abandon()
    assert serials.number("n1", "D01", 2026, "urge", 1) == 1
    serials.close()
    writer.close()


class Zero(MemorySerials):
    """Counts from nought."""

    def number(self, *told):
        return super().number(*told) - 1


class Anew(MemorySerials):
    """Gives a reprint another number."""

    def number(self, notice_id, *told):
        self._given.clear()
        return super().number(notice_id, *told)


class Lumped(MemorySerials):
    """Counts all departments together."""

    def number(self, notice_id, department, *told):
        return super().number(notice_id, "all", *told)


class Racy(MemorySerials):
    """Looks, lets another look, and only then gives."""

    meeting = Barrier(2)

    def number(self, notice_id, department, year, kind, at_us):
        number = self._last[department, year, kind] + 1
        try:
            self.meeting.wait(0.2)
        except BrokenBarrierError:
            self.meeting.reset()
        self._last[department, year, kind] = number
        return self._given.setdefault((notice_id, kind), (department, year, number))[2]


class Wasteful(MemorySerials):
    """Takes the number before it looks whether it may."""

    def number(self, notice_id, department, year, kind, at_us):
        if at_us is None:
            self._last[department, year, kind] += 1
        return super().number(notice_id, department, year, kind, at_us)


BROKEN = [
    (serial_laws.law_numbers_rise_from_one_without_gaps, Zero),
    (serial_laws.law_the_same_notice_has_the_same_number, Anew),
    (serial_laws.law_departments_years_and_kinds_are_apart, Lumped),
    (serial_laws.law_many_at_once_leave_no_gap, Racy),
    (serial_laws.law_what_failed_used_nothing_up, Wasteful),
]


@pytest.mark.parametrize(("law", "broken"), BROKEN)
def test_law_rejects(law, broken):
    book = broken()
    with pytest.raises(AssertionError):
        law(lambda: book)


def test_every_law_has_a_broken_subject():
    assert {law for law, _ in BROKEN} == set(LAWS)


# --- real processes -----------------------------------------------------------------------------

ASK = """
import sys
from pathlib import Path
from detector.ledger.sqlite_file import open_serials
serials = open_serials(Path(sys.argv[1]))
sys.stdout.write("ready\\n"); sys.stdout.flush()
sys.stdin.readline()
for n in range(25):
    sys.stdout.write(f"{serials.number(sys.argv[2] + str(n), 'D01', 2026, 'urge', n)}\\n")
"""
# Stops within the transaction: the number is written and not committed.
STOP = """
import sys
from pathlib import Path
from detector.ledger.sqlite_file import open_serials
serials = open_serials(Path(sys.argv[1]))
real = serials._connection
class Held:
    def execute(self, sql, params=()):
        if sql == "COMMIT":
            sys.stdout.write("written\\n"); sys.stdout.flush()
            sys.stdin.readline()
        return real.execute(sql, params)
serials._connection = Held()
serials.number(sys.argv[2], "D01", 2026, "urge", 0)
"""


def start(code: str, *told: str) -> subprocess.Popen[str]:
    """A process of its own, with pipes."""
    command = [sys.executable, "-c", code, *told]
    return subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def first_line(process: subprocess.Popen[str]) -> str:
    """What it says first."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_eight_processes_leave_no_gap(file):
    running = [start(ASK, str(file), f"p{k}-") for k in range(8)]
    assert [first_line(one) for one in running] == ["ready"] * 8
    for one in running:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    told = [int(n) for one in running for n in one.communicate(timeout=120)[0].split()]
    assert [one.returncode for one in running] == [0] * 8
    assert sorted(told) == [*range(1, 201)]


def test_a_process_killed_between_leaves_no_gap(file):
    serials = open_serials(file)
    assert serials.number("a", "D01", 2026, "urge", 0) == 1
    for _ in range(3):
        dying = start(STOP, str(file), "lost")
        assert first_line(dying) == "written"
        dying.kill()
        dying.communicate(timeout=30)
        assert dying.returncode == -9
    assert serials.given("lost", "urge") is None
    assert serials.number("b", "D01", 2026, "urge", 0) == 2
    serials.close()


def test_numbers_are_given_while_the_ledger_is_written(file):
    ledger, serials = open_ledger(file), open_serials(file)
    ledger.commit(Position(), Work())
    assert serials.number("a", "D01", 2026, "urge", 0) == 1
    ledger.commit(ledger.position(), Work())  # its position did not move
    serials.close()
    ledger.close()


def test_there_must_be_a_ledger(tmp_path):
    with pytest.raises(LedgerError, match="no ledger here"):
        open_serials(tmp_path / "elsewhere")


# --- as it is printed ---------------------------------------------------------------------------


def test_printed():
    told = [format_serial(PATTERNS[k], "示例区", 2026, "D07", 3) for k in ("urge", "rectify")]
    assert told == ["示例区监督〔2026〕D07-3号", "示例区监整〔2026〕D07-3号"]
    odd = format_serial("{department}〔{year}〕{number}号", "示例区", 2026, "{number}", 12)
    assert odd == "{number}〔2026〕12号"  # what is put in is not a pattern


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        ("{region}〔{year}〕{number}号", "{department} is missing"),
        ("{year}{department}", "{number} is missing"),
        ("{year}{department}{number}{region.x}", "{region.x} is none of {region}"),
        ("{year}{department}{number}{", "a brace"),
        ("{year}{department}{number}\n", "control character"),
        ("{year}{department}{number}" + "号" * 99, "longer than 100"),
    ],
)
def test_a_pattern_at_fault(pattern, fault):
    assert fault in (pattern_fault(pattern) or "")
    with pytest.raises(ValueError, match="serial pattern"):
        format_serial(pattern, "r", 2026, "d", 1)


def test_the_year_is_that_of_the_wall_clock():
    zone = build_calendar("none", "Asia/Shanghai", [["09:00", "17:00"]]).zone
    end = 1_767_225_600_000_000  # 2026-01-01 00:00 UTC, 08:00 in Shanghai
    assert serial_year(end - 8 * 3_600_000_000, zone) == 2026
    assert serial_year(end - 8 * 3_600_000_000 - 1, zone) == 2025
