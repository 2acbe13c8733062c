"""Official documents (公文): what a notice of tier 2 or 3 is printed as.

A `Paper` is all that a document says. `render` lays it out as a page of its own, which a browser
prints; `pdf` prints it here, where the extra `[pdf]` is installed. Numbers come from `serial`.
"""

from __future__ import annotations

import msgspec

from detector.verdict import Text


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One finding in a document's table."""

    finding_id: str
    sentence: Text
    at: str  # as the finding has it: RFC 3339 with the district's offset
    basis: str
    item_name: str = ""


class Paper(msgspec.Struct, frozen=True, kw_only=True):
    """What an official document says. Instants µs UTC; a deadline that is not set is None."""

    notice_id: str
    tier: int  # 2 督办通知书, 3 整改通知书
    level: int  # 1 department, 2 control centre
    district: str
    issuing_body: str
    department_name: str  # to whom it goes
    issued_at: int
    findings: tuple[Entry, ...]
    serial: str = ""  # 文号; "" on a draft
    acknowledge_by: int | None = None
    answer_by: int | None = None
    finish_by: int | None = None
    recipients: tuple[str, ...] = ()  # names; nothing else of a person is printed
    opinion: str = ""  # what a supervisor who issues it by hand writes
    language: str = "zh"
