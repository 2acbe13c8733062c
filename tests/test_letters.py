"""Dead letters over HTTP and from the command line: listed with their reason, tried again."""

from __future__ import annotations

import json
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from outbox_laws import Subject, begun, ended, post
from test_cli import oriole
from web_kit import Served

from detector.delivery.letterbox import Letterbox
from detector.delivery.outbox import DEAD, WAITING
from detector.ledger.sqlite_file import FILE, open_ledger, open_outbox

NOW = 1_772_413_200_000_000  # 2026-03-02 01:00 UTC


class Office:
    """A server whose outbox holds three dead letters, and one that waits."""

    def __init__(self, folder) -> None:
        self.ledger = open_ledger(folder / FILE)
        self.outbox = open_outbox(folder / FILE)
        Subject(self.outbox, self.ledger).commit(*(post(f"{name}.1", NOW) for name in "abcd"))
        for name in "abc":
            row = begun(self.outbox, f"{name}.1", NOW)
            ended(self.outbox, row, DEAD, "dead", NOW + 1, reason="refused: 17")
        self.woken: list[bool] = []
        wake = self.woken
        box = Letterbox(open_outbox(folder / FILE), {}, lambda: NOW + 9, lambda: wake.append(True))
        self.served, self.box = Served(letterbox=box), box

    def ask(self, path: str, body: bytes | None = None):
        """(status, JSON) of one request."""
        try:
            with urlopen(Request(f"{self.served.url}/api/v1/dead-letters{path}", body)) as told:
                return told.status, json.load(told)
        except HTTPError as fault:
            with fault:
                return fault.code, json.load(fault)


@pytest.fixture
def office(tmp_path):
    one = Office(tmp_path)
    with one.served:
        yield one
    one.box.close()
    one.outbox.close()
    one.ledger.close()


def test_dead_letters_come_page_by_page_with_their_reason(office):
    status, first = office.ask("?limit=2")
    assert status == 200 and first["next_cursor"] == "b.1"
    assert [one["message_id"] for one in first["items"]] == ["a.1", "b.1"]
    told = first["items"][0]
    assert (told["reason"], told["attempts"], told["channel"]) == ("refused: 17", 1, "sms")
    assert told["at"].startswith("2026-03-02") and told["notice_id"] == "a"
    status, rest = office.ask("?limit=2&cursor=b.1")
    assert [one["message_id"] for one in rest["items"]] == ["c.1"] and rest["next_cursor"] is None
    assert office.ask("?limit=0")[0] == 400
    assert office.ask("?page=2")[0] == 400


def test_one_that_is_resent_waits_under_its_own_key(office):
    assert office.ask("/b.1/resend", b"") == (200, {"message_id": "b.1", "state": "waiting"})
    row = office.outbox.rows(["b.1"])["b.1"]
    assert (row.state, row.due_us, row.attempts) == (WAITING, NOW + 9, 0) and office.woken
    assert office.ask("/b.1/resend", b"")[0] == 404  # it is none any more
    assert office.ask("/d.1/resend", b"")[0] == 404
    assert office.ask("/nobody/resend", b"")[0] == 404


def test_the_command_line_lists_and_resends(office):
    server = ("--server", office.served.url)
    told = oriole("notice", "dead", *server).stdout
    assert "a.1" in told and "refused: 17" in told and "3 封 letters" in told
    assert "waiting" in oriole("notice", "resend", "a.1", *server).stdout
    assert len(json.loads(oriole("notice", "dead", "--json", *server).stdout)["items"]) == 2
    assert "no such dead letter" in oriole("notice", "resend", "a.1", *server, code=2).stderr
