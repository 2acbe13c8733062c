"""The laws of every outbox, as functions of a maker of fresh ones. `LAWS` is all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from detector.delivery.outbox import (
    BEGUN,
    DEAD,
    DELIVERED,
    DIGEST,
    DROPPED,
    GROUPED,
    RECEIPTS_MAX,
    SENDING,
    SENT,
    WAITING,
    Added,
    Attempt,
    Heard,
    Moved,
    Overtaken,
    Row,
    Write,
)
from detector.ledger import LedgerError, NoticeRow, NoticeWork, Post, Work


@dataclass
class Subject:
    """An outbox and the ledger that fills it."""

    outbox: Any
    ledger: Any

    def commit(self, *posts: Post, notices: tuple[NoticeRow, ...] = ()) -> None:
        """What the engine does."""
        work = Work(notices=NoticeWork(rows=list(notices), posts=list(posts)))
        self.ledger.commit(self.ledger.position(), work)


Make = Callable[[], Subject]


def post(message_id: str, at_us: int = 1_000, **told: Any) -> Post:
    """A message as the engine puts it in."""
    given: dict[str, Any] = {
        "notice_id": message_id.partition(".")[0], "person": "P1", "occasion": "issued", "tier": 1,
        "level": 1, "department": "D1", "subject": f"关于{message_id}",
        "text": f"text {message_id}", "doc": b'{"n":1}', "due_us": at_us,
    }  # fmt: skip
    return Post(message_id=message_id, at_us=at_us, **(given | told))


def notice(name: str, state: str = "issued", next_us: int | None = 9) -> NoticeRow:
    """A notice as it stands."""
    ended = state in ("closed", "withdrawn", "lifted", "exempted", "superseded")
    return NoticeRow(
        name, "case", "c", "D1", 1, 1, state, int(not ended), 1, None if ended else next_us, b"{}"
    )


def moved(row: Row, **change: Any) -> Moved:
    """A row, and the same as it shall be."""
    return Moved(row, msgspec.structs.replace(row, **change))


def begun(outbox: Any, message_id: str, at_us: int, channel: str = "sms") -> Row:
    """A message whose attempt has begun."""
    row = outbox.rows([message_id])[message_id]
    move = moved(
        row, state=SENDING, channel=channel, attempts=row.attempts + 1, due_us=at_us + 100
    )  # fmt: skip
    outbox.write(Write([move], [], [Attempt(message_id, at_us, channel, BEGUN)]))
    return outbox.rows([message_id])[message_id]


def ended(outbox: Any, row: Row, state: str, verdict: str, at_us: int, **more: Any) -> None:
    """The attempt has ended, the message is settled (or waits, where `due_us` is given)."""
    given: dict[str, Any] = {"due_us": None, "settled_us": at_us} | more
    told = Attempt(row.message_id, at_us, row.channel or "", verdict)
    outbox.write(Write([moved(row, state=state, **given)], [], [told]))


def law_what_waits_is_due_in_order(make: Make) -> None:
    """Rows are due at their instant, the longest due first, never more than asked for."""
    s = make()
    assert s.outbox.next_due(0) is None and s.outbox.due(1 << 50, 9) == []
    s.commit(post("c.1", 30), post("a.1", 10), post("b.1", 10))
    s.commit(post("d.1", 50))
    ids = [row.message_id for row in s.outbox.due(30, 9)]
    assert ids == ["a.1", "b.1", "c.1"]
    assert [row.message_id for row in s.outbox.due(50, 2)] == ["a.1", "b.1"]
    assert s.outbox.due(9, 9) == [] and s.outbox.next_due(0) == 10
    assert s.outbox.next_due(10) == 30 and s.outbox.next_due(50) is None
    row = s.outbox.rows(["c.1", "nobody"])["c.1"]
    assert (row.person, row.tier, row.subject, row.state, row.attempts, row.channel) == (
        "P1", 1, "关于c.1", WAITING, 0, None,
    )  # fmt: skip
    assert s.outbox.contents(["c.1", "nobody"]) == {"c.1": ("text c.1", b'{"n":1}')}


def law_a_settled_row_is_never_due_again(make: Make) -> None:
    """What is being sent or settled is not due; what is to be tried again is, at its instant."""
    s = make()
    s.commit(post("a.1"), post("b.1"), post("c.1"))
    a, b = begun(s.outbox, "a.1", 2_000), begun(s.outbox, "b.1", 2_000)
    assert [row.message_id for row in s.outbox.due(1 << 50, 9)] == ["c.1"]
    ended(s.outbox, a, SENT, "sent", 2_001, gateway_id="g1")
    ended(s.outbox, b, WAITING, "retry", 2_001, due_us=5_000, settled_us=None, reason="busy")
    assert [row.message_id for row in s.outbox.due(4_999, 9)] == ["c.1"]
    assert [row.message_id for row in s.outbox.due(5_000, 9)] == ["c.1", "b.1"]
    again = s.outbox.rows(["b.1"])["b.1"]
    assert (again.attempts, again.reason, again.channel) == (1, "busy", "sms")
    assert s.outbox.count() == {WAITING: 2}


def law_a_write_is_whole_or_nothing(make: Make) -> None:
    """Where one row has moved meanwhile, nothing at all is written."""
    s = make()
    s.commit(post("a.1"), post("b.1"))
    a, b = s.outbox.rows(["a.1"])["a.1"], s.outbox.rows(["b.1"])["b.1"]
    s.outbox.write(Write([moved(b, state=DROPPED, due_us=None, reason="muted")]))
    digest = msgspec.structs.replace(a, message_id="digest-1", notice_id="", occasion=DIGEST)
    moves = [
        moved(one, state=GROUPED, due_us=None, digest_id="digest-1") for one in (a, b)
    ]  # fmt: skip
    work = Write(moves, [Added(digest, "t", b"{}")], [Attempt("a.1", 1, "sms", "sent")])
    try:
        s.outbox.write(work)
    except Overtaken:
        pass
    else:
        raise AssertionError("a row that had moved was moved")
    assert s.outbox.rows(["a.1", "b.1", "digest-1"]).keys() == {"a.1", "b.1"}
    assert s.outbox.rows(["a.1"])["a.1"] == a and s.outbox.untold(9) == []
    assert s.outbox.members("digest-1", "", 9) == []
    s.outbox.write(Write(moves[:1], work.added))  # the rightful one goes on


def law_a_digest_leads_to_its_members(make: Make) -> None:
    """Every member is found by the digest, page by page; the digest is due, they are not."""
    s = make()
    s.commit(*(post(f"n{k}.1") for k in range(7)))
    rows = s.outbox.due(1 << 50, 9)
    digest = msgspec.structs.replace(
        rows[0], message_id="digest-1", notice_id="", occasion=DIGEST, channel="sms"
    )
    moves = [moved(r, state=GROUPED, due_us=None, digest_id="digest-1") for r in rows]
    s.outbox.write(Write(moves, [Added(digest, "seven", b"[]")]))
    assert [row.message_id for row in s.outbox.due(1 << 50, 9)] == ["digest-1"]
    found, after = [], ""
    while page := s.outbox.members("digest-1", after, 3):
        found += [row.message_id for row in page]
        after = found[-1]
    assert found == [f"n{k}.1" for k in range(7)]
    assert s.outbox.contents(["digest-1"]) == {"digest-1": ("seven", b"[]")}


def law_what_is_added_twice_is_there_once(make: Make) -> None:
    """A message that is added again stays as it is; its family is found by its name."""
    s = make()
    s.commit(post("n.1"), post("n.10"))
    row = s.outbox.rows(["n.1"])["n.1"]
    mail = msgspec.structs.replace(row, message_id="n.1~mail", channel="mail")
    duty = msgspec.structs.replace(row, message_id="n.1!duty", person="P9", reason="no_phone")
    both = msgspec.structs.replace(duty, message_id="n.1!duty~mail", channel="mail")
    added = [Added(one, "t", b"{}") for one in (mail, duty, both)]
    s.outbox.write(Write([], added))
    ended(s.outbox, begun(s.outbox, "n.1~mail", 5, "mail"), DELIVERED, "delivered", 6)
    s.outbox.write(Write([], added))
    names = ["n.1", "n.1!duty", "n.1!duty~mail", "n.1~mail"]
    assert [one.message_id for one in s.outbox.family("n.1")] == names
    assert s.outbox.rows(["n.1~mail"])["n.1~mail"].state == DELIVERED
    assert s.outbox.rows(["n.1!duty"])["n.1!duty"].reason == "no_phone"


def law_an_attempt_without_an_end_is_tried_again(make: Make) -> None:
    """What was being sent waits again under its own key, and somebody may have read it."""
    s = make()
    s.commit(post("a.1"), post("b.1"), post("c.1"))
    begun(s.outbox, "a.1", 2_000)
    ended(s.outbox, begun(s.outbox, "b.1", 2_000), SENT, "sent", 2_001)
    assert s.outbox.recover(3_000) == 1 and s.outbox.recover(3_001) == 0
    row = s.outbox.rows(["a.1"])["a.1"]
    assert (row.state, row.due_us, row.attempts, row.reason) == (WAITING, 3_000, 1, "no_answer")
    assert s.outbox.told(["a", "b", "c"]) == {("a", "P1"), ("b", "P1")}
    assert s.outbox.rows(["b.1"])["b.1"].state == SENT


def law_a_process_that_dies_is_no_failure_of_a_gateway(make: Make) -> None:
    """Attempts that were cut off do not add up; the first still counts, for it may have arrived."""
    s = make()
    s.commit(post("a.1"))
    ended(s.outbox, begun(s.outbox, "a.1", 1), WAITING, "retry", 2, due_us=3, settled_us=None)
    for at in range(10, 18):
        assert begun(s.outbox, "a.1", at).attempts == 2
        s.outbox.recover(at + 1)
        row = s.outbox.rows(["a.1"])["a.1"]
        assert (row.attempts, row.state) == (1, WAITING)


def heard(name: str, at_us: int = 1) -> Heard:
    """A receipt of a message by our own key."""
    return Heard(at_us, "sms", "delivered", name)


def law_a_receipt_waits_until_it_is_done_with(make: Make) -> None:
    """Receipts come in the order in which they were heard, each till a write has done with it; a
    write that fails leaves it; no number is given twice."""
    s = make()
    s.commit(post("a.1"), post("b.1"))
    assert s.outbox.receipts(0, 9) == []
    told = [heard("a.1"), Heard(2, "sms2", "failed", "", "g7", "UNDELIV"), heard("b.1", 3)]
    s.outbox.hear(told[:2])
    s.outbox.hear(told[2:])
    some = s.outbox.receipts(0, 9)
    assert [one for _, one in some] == told
    numbers = [number for number, _ in some]
    assert numbers == sorted(set(numbers))
    assert s.outbox.receipts(0, 1) == some[:1] and s.outbox.receipts(numbers[0], 9) == some[1:]
    row = s.outbox.rows(["a.1"])["a.1"]
    s.outbox.write(Write([moved(row, state=DELIVERED, due_us=None)], heard=numbers[:1]))
    assert s.outbox.receipts(0, 9) == some[1:]
    try:
        s.outbox.write(Write([moved(row, state=DEAD)], heard=numbers[1:]))
    except Overtaken:
        pass
    else:
        raise AssertionError("a row that had moved was moved")
    assert s.outbox.receipts(0, 9) == some[1:]
    s.outbox.write(Write(heard=numbers[1:]))
    s.outbox.hear([heard("a.1", 4)])
    assert s.outbox.receipts(numbers[-1], 9)[0][1].at_us == 4


def law_receipts_are_bounded(make: Make) -> None:
    """Where too many wait no more are taken; what was taken is there."""
    s = make()
    s.outbox.hear([heard(f"n{n}.1") for n in range(RECEIPTS_MAX - 1)])
    try:
        s.outbox.hear([heard("a.1"), heard("b.1")])
    except LedgerError:
        pass
    else:
        raise AssertionError("there is no bound")
    assert len(s.outbox.receipts(0, 1 << 30)) == RECEIPTS_MAX - 1


def law_who_was_told_is_known(make: Make) -> None:
    """Told is who may have read it: not who was refused, dropped, or still waits."""
    s = make()
    s.commit(*(post(f"{name}.1") for name in "abcdefg"), post("z.1"))
    ended(s.outbox, begun(s.outbox, "a.1", 1), SENT, "sent", 2)
    ended(s.outbox, begun(s.outbox, "b.1", 1), DEAD, "refused", 2)
    begun(s.outbox, "c.1", 1)
    lost = begun(s.outbox, "d.1", 1)
    ended(s.outbox, lost, WAITING, "unknown", 2, due_us=9, settled_us=None)
    rows = s.outbox.rows(["e.1", "f.1", "g.1"])
    silent = [Attempt("digest-g", 2, "sms", "unknown")]
    for name, state, log in (("e", WAITING, []), ("f", DEAD, []), ("g", DEAD, silent)):
        digest = msgspec.structs.replace(
            rows[f"{name}.1"], message_id=f"digest-{name}", notice_id="", state=state,
            occasion=DIGEST, due_us=9 if state == WAITING else None,
        )  # fmt: skip
        move = moved(rows[f"{name}.1"], state=GROUPED, due_us=None, digest_id=f"digest-{name}")
        s.outbox.write(Write([move], [Added(digest, "t", b"{}")], log))
    told = s.outbox.told(["a", "b", "c", "d", "e", "f", "g", "z", "nobody"])
    assert told == {(name, "P1") for name in "acdeg"}
    assert s.outbox.told(["z"]) == set()


def law_gateways_call_messages_by_names_of_their_own(make: Make) -> None:
    """A name means something within one channel; the latest message that bears it is meant."""
    s = make()
    s.commit(post("a.1"))
    s.commit(post("b.1"), post("c.1"))
    for name, channel in (("a.1", "sms"), ("b.1", "sms"), ("c.1", "other")):
        ended(s.outbox, begun(s.outbox, name, 1, channel), SENT, "sent", 2, gateway_id="7")
    assert s.outbox.by_gateway("other", "7").message_id == "c.1"
    assert s.outbox.by_gateway("sms", "7").message_id in ("a.1", "b.1")
    assert s.outbox.by_gateway("sms", "8") is None and s.outbox.by_gateway("x", "7") is None


def law_ended_notices_are_known(make: Make) -> None:
    """Of some notices those that have ended, with the state in which they did."""
    s = make()
    notices = (notice("a"), notice("b", "withdrawn"), notice("c", "closed"))
    s.commit(post("a.1"), notices=notices)
    assert s.outbox.endings(["a", "b", "nobody"]) == {"b": "withdrawn"}


def law_submits_are_counted(make: Make) -> None:
    """What was handed to gateways since an instant, by person and channel, each attempt once."""
    s = make()
    s.commit(post("a.1"), post("b.1", person="P2"))
    row = begun(s.outbox, "a.1", 100)
    ended(s.outbox, row, WAITING, "retry", 101, due_us=5, settled_us=None)
    begun(s.outbox, "a.1", 200)
    begun(s.outbox, "b.1", 300, "mail")
    some = sorted((x.at_us, x.person, x.channel) for x in s.outbox.submits(100))
    assert some == [(200, "P1", "sms"), (300, "P2", "mail")]
    assert len(s.outbox.submits(99)) == 3


def law_the_engine_hears_of_each_verdict_once(make: Make) -> None:
    """Verdicts that concern it, in order, each the first time; what was told is told no more."""
    s = make()
    s.commit(post("a.1"))
    row = begun(s.outbox, "a.1", 1)
    log = [("sent", 2), ("unknown", 3), ("failed", 4), ("sent", 5), ("delivered", 6)]
    s.outbox.write(
        Write([moved(row, state=SENT)], [], [Attempt("a.1", t, "sms", v) for v, t in log])
    )
    told = s.outbox.untold(9)
    assert [(one.verdict, one.at_us) for _, one in told] == [
        ("sent", 2), ("failed", 4), ("delivered", 6),
    ]  # fmt: skip
    assert [n for n, _ in s.outbox.untold(2)] == [n for n, _ in told[:2]]
    s.outbox.tell_upto(told[1][0], 7)
    assert [one.verdict for _, one in s.outbox.untold(9)] == ["delivered"]
    s.outbox.tell_upto(told[2][0], 8)
    s.outbox.write(
        Write([], [], [Attempt("a.1", 9, "sms", "sent"), Attempt("a.1", 9, "sms", "read")])
    )
    assert [one.verdict for _, one in s.outbox.untold(9)] == ["read"]


def law_dead_letters_can_be_sent_again(make: Make) -> None:
    """Dead letters are listed by page; one that is resent waits with no attempt counted."""
    s = make()
    s.commit(*(post(f"{name}.1") for name in "abcd"))
    for name in "abc":
        ended(s.outbox, begun(s.outbox, f"{name}.1", 1), DEAD, "dead", 2, reason="attempts_max")
    assert [row.message_id for row in s.outbox.dead("", 2)] == ["a.1", "b.1"]
    assert [row.message_id for row in s.outbox.dead("b.1", 2)] == ["c.1"]
    assert s.outbox.count() == {WAITING: 1, DEAD: 3}
    assert s.outbox.resend("b.1", 50) and not s.outbox.resend("b.1", 51)
    assert not s.outbox.resend("d.1", 50) and not s.outbox.resend("nobody", 50)
    row = s.outbox.rows(["b.1"])["b.1"]
    assert (row.state, row.due_us, row.attempts, row.settled_us) == (WAITING, 50, 0, None)


def law_what_stands_still_is_found(make: Make) -> None:
    """Rows past their time, waiting or being sent; open notices without a next instant or behind
    it. What is settled or to come is not."""
    s = make()
    notices = (notice("n1", next_us=None), notice("n2", next_us=5), notice("n3", next_us=500))
    s.commit(post("a.1", 10), post("b.1", 20), post("c.1", 90), post("d.1", 10),
             notices=(*notices, notice("n4", "closed")))  # fmt: skip
    begun(s.outbox, "b.1", 20)  # its time is up at 120
    ended(s.outbox, begun(s.outbox, "d.1", 20), SENT, "sent", 21)
    assert [row.message_id for row in s.outbox.late(121, 9)] == ["a.1", "c.1", "b.1"]
    assert [row.message_id for row in s.outbox.late(90, 9)] == ["a.1"]
    assert s.outbox.stalled(100, 9) == [("n1", None), ("n2", 5)]
    assert s.outbox.stalled(100, 1) == [("n1", None)]


LAWS = [law for name, law in sorted(globals().items()) if name.startswith("law_")]
