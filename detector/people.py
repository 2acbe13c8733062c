"""people.csv: the persons of a district, checked as a whole. No message repeats a number."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from detector.event import CODE_BYTES_MAX
from detector.tomlfile import Problem, shown

PEOPLE = "people.csv"
PEOPLE_BYTES_MAX = 16 << 20
COLUMNS = ("person", "name", "role", "department", "phone", "level")
EMAIL = "email"  # a column that may be left out
ROLES = ("operator", "supervisor", "leader", "auditor", "admin")
ADDRESS = re.compile(r"[^@\s<>,;]{1,64}@[^@\s<>,;]{1,190}")  # of e-mail
_PHONE = re.compile(r"\+?\d[\d -]{4,18}\d", re.ASCII)


@dataclass(frozen=True, slots=True)
class Person:
    """One row of people.csv. Phone and address stay out of `repr`, hence out of logs."""

    person: str
    name: str
    role: str
    department: str
    phone: str = field(repr=False)
    level: int  # 1 department, 2 control centre
    email: str = field(repr=False, default="")


def read_people(data: bytes, problems: list[Problem]) -> dict[str, Person]:
    """The people of people.csv by `person`. No message repeats a phone or an address, whatever
    column it stands in."""
    people: dict[str, Person] = {}
    lines: dict[str, int] = {}

    def fault(column: str, reason: str, remedy: str) -> None:
        problems.append(Problem(PEOPLE, column, reason, line, remedy))

    for line, row in _rows(data, problems):
        person, role = row["person"], row["role"]
        if not person or len(person.encode()) > CODE_BYTES_MAX:
            fault("person", f"is empty or longer than {CODE_BYTES_MAX} bytes", "give an id")
        elif person in people:
            fault("person", f"{_masked(person)} stands on line {lines[person]} too", "remove one")
        if role not in ROLES:
            fault("role", f"{_masked(role)} is unknown", f"write one of {', '.join(ROLES)}")
        if not row["department"] and role in ("operator", "supervisor"):
            fault("department", f"is empty for {role} {_masked(person)}", "give its code")
        if row["phone"] and not _PHONE.fullmatch(row["phone"]):
            fault("phone", "is not a phone number", "write digits, or leave it empty")
        email = row.get(EMAIL, "")
        if email and not ADDRESS.fullmatch(email):
            fault(EMAIL, "is no e-mail address", "write name@example.gov.cn, or leave it empty")
        if row["level"] not in ("", "1", "2"):
            fault("level", f"{_masked(row['level'])} is unknown", "write 1 or 2, or leave it empty")
        lines.setdefault(person, line)
        level = int(row["level"] == "2") + 1
        told = row["name"] or person, role, row["department"], row["phone"], level, email
        people.setdefault(person, Person(person, *told))
    return people


def _rows(data: bytes, problems: list[Problem]) -> Iterator[tuple[int, dict[str, str]]]:
    """Line and cells (by column, without blanks around them) of each row below the header."""
    line = 0
    try:
        if len(data) > PEOPLE_BYTES_MAX:
            raise ValueError(f"is larger than {PEOPLE_BYTES_MAX} bytes; remove who has left")
        line = 1
        text = io.StringIO(data.decode("utf-8-sig"), newline="")
        header: list[str] = []
        rows = csv.reader(text, strict=True)
        for row in rows:
            line, cells = rows.line_num, [cell.strip() for cell in row]
            if not any(cells):
                continue
            if not header and sorted({*cells, EMAIL}) != sorted({*COLUMNS, EMAIL}):
                raise ValueError(f"has no such header; write {','.join(COLUMNS)} as its first line")
            if not header:
                header = cells
            elif len(cells) == len(header):
                yield line, dict(zip(header, cells, strict=True))
            else:
                reason = f"has {len(cells)} cells, not {len(header)}"
                problems.append(Problem(PEOPLE, "", reason, line, "quote cells that hold a comma"))
    except UnicodeDecodeError as fault:
        line = data.count(b"\n", 0, fault.start) + 1
        problems.append(Problem(PEOPLE, "", "is not UTF-8", line, 'save it as "CSV UTF-8"'))
    except csv.Error as fault:
        reason = f"is not CSV after this line: {fault}"
        problems.append(Problem(PEOPLE, "", reason, line, "mend the quotes there"))
    except ValueError as fault:
        reason, _, remedy = str(fault).partition("; ")
        problems.append(Problem(PEOPLE, "", reason, line, remedy))


def _masked(cell: str) -> str:
    """A cell inside a sentence, unless it may be a number or an address in a wrong column."""
    if sum(map(str.isnumeric, cell)) >= 5:
        return "(a number)"
    return "(an address)" if "@" in cell else shown(cell)
