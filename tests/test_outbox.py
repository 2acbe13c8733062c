"""Outboxes keep what is written; each law rejects an outbox that breaks it."""

from __future__ import annotations

import msgspec
import outbox_laws
import pytest
from outbox_laws import LAWS, Subject, begun, moved, post

from detector.delivery.outbox import RECEIPTS_MAX, SENT, WAITING, Moved, Overtaken, Write
from detector.ledger import LedgerError, postgres_open
from detector.ledger.sqlite_file import DELIVERY_LOCK, FILE, Folder, open_ledger, open_outbox
from detector.testing import MemoryLedger, MemoryOutbox


def memory(kind=MemoryOutbox):
    """A fresh outbox in memory."""
    ledger = MemoryLedger()
    return Subject(kind(ledger), ledger)


@pytest.fixture(params=["sqlite", "memory", "postgres"])
def make(request, tmp_path):
    """A maker of fresh outboxes of one kind."""
    made: list[Subject] = []

    def fresh():
        if request.param == "memory":
            return memory()
        if request.param == "postgres":
            server = request.getfixturevalue("postgres")
            place = server.address(server.database(request.getfixturevalue("template")))
            writer = postgres_open.open_ledger(place, "case-0")
            made.append(Subject(postgres_open.open_outbox(place), writer))
            return made[-1]
        ledger = open_ledger(tmp_path / f"{len(made)}-{FILE}")
        made.append(Subject(open_outbox(tmp_path / f"{len(made)}-{FILE}"), ledger))
        return made[-1]

    yield fresh
    for one in made:
        one.outbox.close()
        one.ledger.close()


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law(make, law):
    law(make)


class Unordered(MemoryOutbox):
    """Gives what is due by name alone."""

    def due(self, now_us, limit):
        return sorted(super().due(now_us, 1 << 30), key=lambda r: r.message_id)[::-1][:limit]


class Greedy(MemoryOutbox):
    """Takes what is being sent for due."""

    def due(self, now_us, limit):
        return [row for row in self._all().values() if row.due_us is not None][:limit]


class Piecemeal(MemoryOutbox):
    """Writes one row after the other."""

    def write(self, write):
        for one in write.moved:
            super().write(Write([one]))
        super().write(Write([], write.added, write.attempts, write.heard))


class Headless(MemoryOutbox):
    """Forgets which digest tells of a message."""

    def write(self, write):
        rows = [msgspec.structs.replace(m.after, digest_id=None) for m in write.moved]
        moves = [Moved(m.before, r) for m, r in zip(write.moved, rows, strict=True)]
        super().write(Write(moves, write.added, write.attempts))


class Overwrites(MemoryOutbox):
    """Puts a message in again."""

    def write(self, write):
        for one in write.added:
            self._rows.pop(one.row.message_id, None)
        super().write(write)


class Forgets(MemoryOutbox):
    """Does not look at what was being sent."""

    def recover(self, now_us):
        return 0


class Strict(MemoryOutbox):
    """Counts an attempt that was cut off as one that failed."""

    def recover(self, now_us):
        tried = {name: row.attempts for name, row in self._all().items()}
        done = super().recover(now_us)
        for name, row in self._rows.items():
            self._rows[name] = msgspec.structs.replace(row, attempts=tried[name])
        return done


class Hasty(MemoryOutbox):
    """Has done with receipts as soon as they are read."""

    def receipts(self, after, limit):
        told = super().receipts(after, limit)
        self._heard = {}
        return told


class Endless(MemoryOutbox):
    """Keeps whatever comes."""

    def hear(self, told):
        for one in told:
            super().hear([one]) if len(self._heard) < RECEIPTS_MAX else None


class Hopeful(MemoryOutbox):
    """Takes whatever was once put in for told."""

    def told(self, notice_ids):
        return {(r.notice_id, r.person) for r in self._all().values() if r.notice_id in notice_ids}


class Confused(MemoryOutbox):
    """Takes one gateway's name for another's."""

    def by_gateway(self, channel, gateway_id):
        return next((r for r in self._all().values() if r.gateway_id == gateway_id), None)


class Open(MemoryOutbox):
    """Knows no end."""

    def endings(self, notice_ids):
        return {}


class Lenient(MemoryOutbox):
    """Counts messages, not attempts."""

    def submits(self, since_us):
        return list({s.person: s for s in super().submits(since_us)}.values())


class Chatters(MemoryOutbox):
    """Tells everything again."""

    def tell_upto(self, number, now_us):
        pass


class Resigned(MemoryOutbox):
    """Counts the attempts of before."""

    def resend(self, message_id, now_us):
        row = self._all().get(message_id)
        done = super().resend(message_id, now_us)
        if done and row is not None:
            self._rows[message_id] = msgspec.structs.replace(
                self._rows[message_id], attempts=row.attempts
            )
        return done


class Blind(MemoryOutbox):
    """Looks only at what has not begun."""

    def late(self, before_us, limit):
        return [row for row in super().late(before_us, limit) if row.state == WAITING]


BROKEN = [
    (outbox_laws.law_what_waits_is_due_in_order, Unordered),
    (outbox_laws.law_a_settled_row_is_never_due_again, Greedy),
    (outbox_laws.law_a_write_is_whole_or_nothing, Piecemeal),
    (outbox_laws.law_a_digest_leads_to_its_members, Headless),
    (outbox_laws.law_what_is_added_twice_is_there_once, Overwrites),
    (outbox_laws.law_an_attempt_without_an_end_is_tried_again, Forgets),
    (outbox_laws.law_a_process_that_dies_is_no_failure_of_a_gateway, Strict),
    (outbox_laws.law_a_receipt_waits_until_it_is_done_with, Hasty),
    (outbox_laws.law_receipts_are_bounded, Endless),
    (outbox_laws.law_who_was_told_is_known, Hopeful),
    (outbox_laws.law_gateways_call_messages_by_names_of_their_own, Confused),
    (outbox_laws.law_ended_notices_are_known, Open),
    (outbox_laws.law_submits_are_counted, Lenient),
    (outbox_laws.law_the_engine_hears_of_each_verdict_once, Chatters),
    (outbox_laws.law_dead_letters_can_be_sent_again, Resigned),
    (outbox_laws.law_what_stands_still_is_found, Blind),
]


@pytest.mark.parametrize(("law", "broken"), BROKEN)
def test_law_rejects(law, broken):
    with pytest.raises((AssertionError, Overtaken)):
        law(lambda: memory(broken))


def test_every_law_has_a_broken_subject():
    assert {law for law, _ in BROKEN} == set(LAWS)


def test_the_engine_and_delivery_share_the_file(tmp_path):
    """Both write in turn; what one has committed the other sees at once."""
    ledger = open_ledger(tmp_path / FILE)
    subject = Subject(open_outbox(tmp_path / FILE), ledger)
    other = open_outbox(tmp_path / FILE)
    for n in range(20):
        subject.commit(post(f"n{n}.1"))
        row = begun(subject.outbox, f"n{n}.1", n)
        with pytest.raises(Overtaken):
            other.write(Write([moved(msgspec.structs.replace(row, attempts=0), state=SENT)]))
        other.write(Write([moved(row, state=SENT, due_us=None)]))
    assert subject.outbox.count() == {}
    for one in (subject.outbox, other, ledger):
        one.close()


def test_there_must_be_a_ledger(tmp_path):
    with pytest.raises(LedgerError, match="no ledger here"):
        open_outbox(tmp_path / FILE)


def test_one_delivery_at_a_time(tmp_path):
    """The server's lock is another one: delivery may run beside it, but only once."""
    server, held = Folder(tmp_path), Folder(tmp_path, DELIVERY_LOCK)
    with pytest.raises(LedgerError, match="in use by process"):
        Folder(tmp_path, DELIVERY_LOCK)
    held.close()
    Folder(tmp_path, DELIVERY_LOCK).close()
    server.close()
