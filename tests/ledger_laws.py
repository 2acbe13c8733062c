"""The laws of every ledger, as functions of a fresh one. `LAWS` is all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from detector.effects import Effects
from detector.learning.epochs import Epoch
from detector.learnkit import Limit
from detector.ledger import (
    RAISED,
    Conflict,
    Count,
    Move,
    NoticeHolds,
    NoticeQuery,
    NoticeRow,
    NoticeStep,
    NoticeWork,
    Position,
    Query,
    Refusal,
    Relay,
    Work,
    after,
)
from detector.ledger.epochs import EpochRow
from detector.ledger.journal import Block, checked, frames_of, make_frame
from detector.ledger.verdicts import FALSE_ALARM, JUSTIFIED, VerdictCount, VerdictRow
from detector.live.leavings import epochs_of
from detector.workcalendar import NEVER

Make = Callable[[], Any]


def frame(before: Position, lines: list[bytes], at: int = 1_000, back: list[int] | None = None):
    """A frame of these lines."""
    block = Block(at, b"".join(line + b"\n" for line in lines), len(lines))
    times = np.full(len(lines), at)
    return make_frame(before, [block], times, np.array(back or [0] * len(lines)))


def raised(name: str, at_us: int, **told: Any) -> Move:
    """A finding that is raised, with a document that names it."""
    doc = b'{"finding_id":"%s","withdrawn":null}' % name.encode()
    given: dict[str, Any] = {"rule": "r", "department": "D", "case_id": "c", "tier": 2} | told
    return Move(name, RAISED, "oriole", "2026", at_us=at_us, doc=doc, **given)


def law_commits_are_read_back(make: Make) -> None:
    """What was committed is there: frames, findings newest first, refusals, counts."""
    ledger = make()
    first = frame(Position(), [b'{"n":1}', b'{"n":2}'])
    second = frame(after(Position(), [first]), [b'{"n":3}'])
    refused = Refusal(5, 1, "item", "is missing", "{}")
    counts = [Count("muted", "r", "exempt", None, "D", 7, 2)]
    moves = [raised("a", 10), raised("b", 30), raised("c", 20, tier=1)]
    work = Work([first, second], moves, [refused], counts)
    assert ledger.commit(Position(), work) == Position(2, 3, second.hash)
    assert list(ledger.frames()) == [first, second]
    assert list(ledger.frames(2)) == [second]
    assert [ledger.frame_of(n) for n in range(4)] == [first, first, second, None]
    assert [h.doc for _, h in ledger.findings(Query())] == [m.doc for m in _by_time(moves)]
    assert [at for at, _ in ledger.findings(Query(tier=2))] == [30, 10]
    assert [at for at, _ in ledger.findings(Query(begin_us=10, end_us=30))] == [20, 10]
    assert [at for at, _ in ledger.findings(Query(limit=1, cursor=(30, "b")))] == [20]
    assert ledger.refusals(0, 10) == [(1, refused)]
    assert ledger.counts() == counts
    assert ledger.finding("nobody") is None


def _by_time(moves: list[Move]) -> list[Move]:
    return sorted(moves, key=lambda m: -m.at_us)


def law_one_writer(make: Make) -> None:
    """A writer whose position is not the ledger's is refused, and leaves nothing."""
    ledger = make()
    here = ledger.commit(Position(), Work([frame(Position(), [b"{}"])]))
    zombie = Work([frame(Position(), [b'{"other":1}'])], [raised("z", 1)], [], [])
    try:
        ledger.commit(Position(), zombie)
    except Conflict:
        pass
    else:
        raise AssertionError("a zombie's batch was taken")
    assert ledger.position() == here
    assert ledger.finding("z") is None and ledger.last_move() == 0
    ledger.commit(here, Work([frame(here, [b'{"n":2}'])]))  # the rightful one goes on


def law_the_chain_holds(make: Make) -> None:
    """Every frame follows from the one before it."""
    ledger, position = make(), Position()
    for n in range(5):
        some = frame(position, [b'{"n":%d}' % n], at=n)
        position = ledger.commit(position, Work([some]))
    walked = Position()
    for n, held in enumerate(ledger.frames()):
        assert checked(held, walked) == b'@%d\n{"n":%d}\n' % (n, n)
        walked = after(walked, [held])
    assert walked == position == ledger.position()


def law_standing_follows_the_moves(make: Make) -> None:
    """A finding stands as its last move says, and no move is forgotten."""
    ledger = make()
    gone = Move("a", "superseded", "oriole", "2027")
    ledger.commit(Position(), Work([], [raised("a", 1), gone, raised("b", 2)]))
    assert b'"superseded"' in ledger.finding("a").json()
    assert ledger.totals() == {"standing": {"r": 1}, "withdrawn": {"r": 1}, "muted": {}}
    ledger.commit(Position(), Work([], [Move("a", "", "oriole", "2028")]))
    assert ledger.finding("a").withdrawn is None
    assert ledger.finding("a").json() == ledger.finding("a").doc
    ledger.commit(Position(), Work([], [gone, raised("a", 9)]))  # raised anew: it stands
    assert ledger.finding("a").withdrawn is None
    assert [at for at, _ in ledger.findings(Query(state="stands"))] == [9, 2]
    codes = [m.code for _, m in ledger.moves(0, 99, "a")]
    assert codes == [RAISED, "superseded", "", "superseded", RAISED]
    assert ledger.last_move() == 6 and [n for n, _ in ledger.moves(4, 1)] == [5]


def law_a_failed_commit_leaves_nothing(make: Make) -> None:
    """A batch of which one row cannot be kept is not kept at all."""
    ledger = make()
    bad = Work([frame(Position(), [b"{}"])], [raised("a", 1)], [], [object()])  # type: ignore[list-item]
    before = ledger.position()
    try:
        ledger.commit(before, bad)
    except (TypeError, AttributeError, KeyError):
        pass
    else:
        raise AssertionError("it was kept")
    assert ledger.position() == before and ledger.finding("a") is None
    ledger.commit(before, Work([frame(before, [b"{}"])]))


def law_notices_are_read_back(make: Make) -> None:
    """A notice stands as its last row says; what it holds and how it went is kept in order."""
    ledger = make()

    def row(name: str, state: str, at: int, tier: int = 2) -> NoticeRow:
        is_open = int(state != "closed")
        doc = b'{"notice_id":"%b"}' % name.encode()
        return NoticeRow(name, "case", "c1", "D01", tier, 1, state, is_open, at, None, doc)

    step = NoticeStep("n1", 5, "oriole", "", "issued", "automatic")
    holds = [NoticeHolds("n1", "f2", 0), NoticeHolds("n1", "f1", 1)]
    work = Work()
    work.notices = NoticeWork([row("n1", "issued", 5), row("n2", "issued", 7, 3)], [step], holds)
    ledger.commit(Position(), work)
    last = NoticeStep("n1", 9, "S1", "issued", "closed", "finished", "x")
    work = Work()
    work.notices = NoticeWork([row("n1", "closed", 5)], [last], [NoticeHolds("n1", "f2", 0)])
    ledger.commit(Position(), work)
    assert [n.notice_id for n in ledger.notices(NoticeQuery())] == ["n2", "n1"]
    assert [n.notice_id for n in ledger.notices(NoticeQuery(state="open"))] == ["n2"]
    assert [n.notice_id for n in ledger.notices(NoticeQuery(state="closed"))] == ["n1"]
    assert ledger.notices(NoticeQuery(state="closed", begin_us=6)) == []
    assert [n.notice_id for n in ledger.notices(NoticeQuery(tier=3))] == ["n2"]
    assert [n.notice_id for n in ledger.notices(NoticeQuery(cursor=(7, "n2")))] == ["n1"]
    assert [n.notice_id for n in ledger.notices(NoticeQuery(begin_us=6, end_us=8))] == ["n2"]
    assert ledger.notice("n1") == row("n1", "closed", 5) and ledger.notice("n3") is None
    assert ledger.notice_findings("n1") == ["f2", "f1"] and ledger.notice_of("f1") == ["n1"]
    assert ledger.notice_steps("n1") == [step, last] and ledger.notice_steps("n2") == []
    ledger.commit(Position(), Work(moves=[raised("f2", 1, rule="slow")]))
    assert [n.notice_id for n in ledger.notices(NoticeQuery(rule="slow"))] == ["n1"]
    assert ledger.notices(NoticeQuery(rule="quick")) == []


def law_boards_add_up(make: Make) -> None:
    """Figures of boards are what a walk over the rows would count."""
    ledger, hour = make(), 3_600_000_000
    moves = [raised(f"f{n}", n * hour // 2, department="D" if n % 3 else "E") for n in range(8)]
    moves.append(Move("f3", "superseded", "oriole", "2026"))
    rows = [
        NoticeRow(f"n{n}", "case", f"c{n}", "D", n % 3, 1 + n % 2, "issued", n % 4 > 0, n, due, b"")
        for n, due in enumerate((5, 9, 7, None, 3, 1))
    ]
    counts = [Count("muted", "r", "exempt", None, "D", 7, 2)]
    first = Work([frame(Position(), [b"{}"])], moves, counts=counts, notices=NoticeWork(rows))
    position = ledger.commit(Position(), first)
    open_rows = {(o.department, o.tier, o.level): o.n for o in ledger.open_counts()}
    assert open_rows == {("D", 1, 2): 1, ("D", 2, 1): 1, ("D", 0, 2): 1, ("D", 2, 2): 1}
    assert (len(ledger.open_counts("D")), ledger.open_counts("E")) == (4, [])
    assert [row.notice_id for row in ledger.due_notices(NoticeQuery(limit=9))] == ["n5", "n2", "n1"]
    assert [row.notice_id for row in ledger.due_notices(NoticeQuery("D", limit=1))] == ["n5"]
    assert ledger.due_notices(NoticeQuery("E", limit=9)) == []
    assert ledger.due_notices(NoticeQuery(departments=("E",), limit=9)) == []
    assert [row.notice_id for row in ledger.due_notices(NoticeQuery(tier=1))] == ["n1"]
    still = [replace(rows[1], notice_id=f"s{n}", issued_us=n, next_us=NEVER) for n in (1, 3, 2)]
    position = ledger.commit(position, Work(notices=NoticeWork(still)))
    told = [row.notice_id for row in ledger.due_notices(NoticeQuery(limit=2))]
    assert told == ["n5", "n2", "s3", "s2"]  # behind those to which something happens by itself
    by_hour = [(one.hour, one.rule, one.n) for one in ledger.hour_counts(hour, 4 * hour)]
    assert by_hour == [(1, "r", 1), (2, "r", 2), (3, "r", 2)]
    assert [one.n for one in ledger.hour_counts(0, 4 * hour, "E")] == [1, 1]
    assert ledger.rule_counts(hour) == {"r": 5} and ledger.rule_counts(0, "E") == {"r": 2}
    assert ledger.rule_counts(0, None, "nobody") == {}
    assert ledger.cases_from("c", 9) == ["c"] and ledger.cases_from("d", 9) == []
    number, told = ledger.counts_after(0)
    assert told == counts
    more = Count("undetermined", "r", "why", None, "D", 7, 1)
    ledger.commit(position, Work([frame(position, [b"{}"])], counts=[more, more]))
    assert ledger.counts_after(number)[1] == [Count("undetermined", "r", "why", None, "D", 7, 2)]


def law_frames_are_bounded(make: Make) -> None:
    """Many inputs become several frames, each found by the number of its inputs."""
    ledger = make()
    blocks = frames_of([Block(3, b"".join(b'{"n":%d}\n' % n for n in range(5_000)), 5_000)])
    position, frames = Position(), []
    for some in blocks:
        n = sum(b.n for b in some)
        frames.append(make_frame(position, some, np.full(n, 3), np.zeros(n, np.int64)))
        position = after(position, frames)
    assert [f.n for f in frames] == [2_048, 2_048, 904]
    assert ledger.commit(Position(), Work(frames)).next_event == 5_000
    assert ledger.frame_of(4_095) == frames[1] and ledger.frame_of(4_096) == frames[2]


def law_what_is_relayed_waits_until_it_arrived(make: Make) -> None:
    """Relays are kept with their batch, in order, until a later batch says that they arrived; and
    so is where the source goes on."""
    ledger = make()
    assert ledger.relays() == [] and ledger.offset() is None
    first = frame(Position(), [b"{}"])
    told = [Relay(1, "operator-0", b"one\0"), Relay(1, "department-0", b"two")]
    here = ledger.commit(Position(), Work([first], relays=told, offset=7))
    assert ledger.relays() == [told[1], told[0]] and ledger.offset() == 7
    second = frame(here, [b'{"n":2}'])
    more = Relay(2, "department-0", b"three")
    try:
        ledger.commit(Position(), Work([frame(Position(), [b"[]"])], relays=[more], offset=9))
    except Conflict:
        pass
    else:
        raise AssertionError("a zombie's batch was taken")
    assert len(ledger.relays()) == 2 and ledger.offset() == 7
    here = ledger.commit(here, Work([second], relays=[more], relayed=1))
    assert ledger.relays() == [more] and ledger.offset() == 7
    assert ledger.commit(here, Work(relayed=2, offset=12)) == here
    assert ledger.relays() == [] and ledger.offset() == 12


def law_epochs_are_kept_in_their_order(make: Make) -> None:
    """What learners put into force is kept as told, and found by learner, the latest first."""
    ledger = make()
    told = list[EpochRow]()
    for n in range(5):
        limit = Limit(key=("k",), value=n, n=n, people=3, since=0, until=n)
        one = Epoch(learner="pace" if n % 2 else "path", edition=1, day=20_000 + n, at=n)
        one.waiting, one.frozen = [limit] * n, dict.fromkeys("ab"[: n % 3], "why")
        told += epochs_of(Effects(epochs=[one.sealed()]))
    here = ledger.commit(Position(), Work([frame(Position(), [b"{}"])], epochs=told[:3]))
    ledger.commit(here, Work([frame(here, [b"{}"])], epochs=told[3:]))
    assert list(ledger.all_epochs()) == told
    assert ledger.epochs("pace") == [told[3], told[1]]
    assert ledger.epochs(limit=2) == [told[4], told[3]]
    [first, second] = ledger.epochs_after("pace", 0, 9)
    assert (first[1], second[1]) == (told[1], told[3]) and first[0] < second[0]
    assert ledger.epochs_after("pace", first[0], 9) == [second]
    assert ledger.epochs_after("path", 0, 1)[0][1] == told[0]
    assert ledger.epochs_before("pace", None, 9) == [second, first]
    assert ledger.epochs_before("pace", second[0], 9) == [first]
    assert ledger.epochs_before("pace", first[0], 9) == ledger.epochs_after("none", 0, 9) == []


def law_contents_are_found_among_frames(make: Make) -> None:
    """Frames that hold a content are named, oldest first, whatever lies between them."""
    ledger = make()
    here = Position()
    for n in range(1, 9):
        block = Block(None, b'{"at":1}\n', 1, content=n in (1, 4, 8))
        one = make_frame(here, [block], np.array([1]), np.zeros(1, np.int64))
        here = ledger.commit(here, Work([one]))
    assert ledger.contents() == [1, 4, 8]
    several = [frame(here, [b"{}", b"{}"])]
    block = Block(None, b'{"at":2}\n', 1, content=True)
    place = after(here, several)
    several.append(make_frame(place, [block], np.array([2]), np.zeros(1, np.int64)))
    ledger.commit(here, Work(several))
    assert ledger.contents() == [1, 4, 8, 10]


def law_the_last_verdict_counts(make: Make) -> None:
    """All verdicts are kept; of several on a finding the last by (at, fact_id) counts, in whatever
    order they came. One on a finding that nobody knows is kept and told as such."""
    ledger = make()
    moves = [raised("a", 10), raised("b", 20, item="i"), raised("c", 30, rule="s")]
    late = VerdictRow("v2", "a", FALSE_ALARM, "P1", 7, "误报")
    early = [VerdictRow("v9", "a", "confirmed", "P2", 6), VerdictRow("v1", "a", JUSTIFIED, "P2", 7)]
    lost = VerdictRow("v5", "nobody", "confirmed", "P1", 9)
    first = frame(Position(), [b"{}"])
    here = ledger.commit(Position(), Work([first], moves, verdicts=[late, lost]))
    assert [row.verdict for row in ledger.verdicts_of("a")] == [FALSE_ALARM]
    more = [*early, VerdictRow("v3", "b", "confirmed", "P1", 5)]
    ledger.commit(here, Work([frame(here, [b"{}"])], verdicts=more))
    assert ledger.verdicts_of("a") == [early[0], early[1], late]
    assert ledger.verdicts_of("c") == [] and ledger.verdicts_of("nobody") == [lost]
    assert ledger.latest_verdicts(["c", "b", "a", "none"]) == {"a": late, "b": more[2]}
    assert ledger.latest_verdicts([]) == {}
    assert ledger.verdict_counts() == [
        VerdictCount("r", None, "D", FALSE_ALARM, 1), VerdictCount("r", "i", "D", "confirmed", 1),
    ]  # fmt: skip
    assert ledger.stray_verdicts(9) == [lost] and ledger.stray_verdicts(0) == []
    assert [row.fact_id for row in ledger.all_verdicts()] == ["v1", "v2", "v3", "v5", "v9"]
    for told, want in (("none", [30]), (FALSE_ALARM, [10]), (JUSTIFIED, []), ("confirmed", [20])):
        assert [at for at, _ in ledger.findings(Query(verdict=told))] == want, told


LAWS = [law for name, law in sorted(globals().items()) if name.startswith("law_")]
