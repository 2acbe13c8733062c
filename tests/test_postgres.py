"""The ledger in PostgreSQL beyond the laws: shards, zombies, months, and the road over it."""

from __future__ import annotations

import json
import random
from threading import Barrier, Thread
from typing import Any

import psycopg
import pytest
from ledger_laws import frame, raised
from live_kit import ACCEPT, SURVEY, Live, event
from outbox_laws import Subject, begun, ended, post
from service import Service
from sqlalchemy import select
from test_cli import oriole

from detector.delivery.outbox import SENT, Heard
from detector.ledger import (
    Conflict,
    Count,
    LedgerError,
    NoticeQuery,
    Position,
    Query,
    Refusal,
    Work,
)
from detector.ledger.postgres_open import (
    migrate,
    open_ledger,
    open_outbox,
    open_posting,
    open_reader,
    open_serials,
)
from detector.ledger.sqlite_file import FILE
from detector.ledger.sqlite_file import open_reader as open_file
from detector.ledger.tables import META
from detector.places import DatabasePlace
from detector.testing import MemoryLedger
from replay.verify import prove

MARCH, APRIL = 1_772_413_200_000_000, 1_775_091_600_000_000  # 2026-03-02, 2026-04-02


@pytest.fixture
def address(postgres, template):
    """A fresh database with all tables."""
    return postgres.address(postgres.database(template))


def rows(address: str, query: str) -> list[tuple]:
    """What a database says."""
    reader = open_reader(address, "case-0")
    told = reader._run(query)
    reader.close()
    return told


def test_shards_of_one_database_know_nothing_of_each_other(address):
    one, other = open_ledger(address, "case-0"), open_ledger(address, "case-1")
    here = one.commit(Position(), Work([frame(Position(), [b"{}"])], [raised("a", 1)]))
    assert other.position() == Position() and list(other.frames()) == []
    there = other.commit(Position(), Work([frame(Position(), [b'{"n":1}'])], [raised("b", 2)]))
    assert (one.position(), other.position()) == (here, there)
    assert one.last_move() == other.last_move() == 1
    assert [m.finding_id for _, m in one.moves(0, 9)] == ["a"]
    assert [m.finding_id for _, m in other.moves(0, 9)] == ["b"]
    assert [at for at, _ in one.findings(Query())] == [2, 1]  # lists are of all shards
    one.close()
    other.close()


def test_a_zombie_fails_though_its_connection_lives(address):
    zombie = open_ledger(address, "case-0")
    here = zombie.commit(Position(), Work([frame(Position(), [b"{}"])]))
    heir = open_ledger(address, "case-0")
    heir.commit(here, Work([frame(here, [b'{"n":2}'])], [raised("a", 1)]))
    with pytest.raises(Conflict):
        zombie.commit(here, Work([frame(here, [b'{"n":3}'])], [raised("z", 1)]))
    assert heir.finding("z") is None and heir.last_move() == 1
    zombie.close()
    heir.close()


def test_the_call_of_a_batch_is_prepared_once_whatever_it_holds(address):
    ledger, position = open_ledger(address, "case-0"), Position()
    for n in range(24):  # an empty column, one of NULLs, small and large numbers, texts with marks
        moves = [raised(f'{n} "{{}},\\ ␀中', n + 10 ** (n % 12))] if n % 2 else []
        counts = [Count("muted", "r", "x", None, "D1", n, 1)] if n % 3 else []
        refused = [Refusal(n, 1, "f", "e", "a\0b")] if n % 4 == 0 else []
        work = Work([frame(position, [b"{}"])], moves, refused, counts)
        position = ledger.commit(position, work)
    told = (
        "SELECT count(*) FROM pg_prepared_statements WHERE strpos(statement, 'ledger_commit') > 0"
    )
    asking = "AND strpos(statement, 'pg_prepared') = 0"
    assert ledger._run(f"{told} {asking}") == [(1,)]
    assert [m.finding_id for _, m in ledger.moves(0, 2)] == [f'{n} "{{}},\\ ␀中' for n in (1, 3)]
    assert {count.item for count in ledger.counts()} == {None}
    ledger.close()


def test_the_journal_lies_by_months(address):
    ledger, position = open_ledger(address, "case-0"), Position()
    for at in (MARCH, APRIL, MARCH + 5, 5):
        some = frame(position, [b'{"at":%d}' % at], at=at)
        position = ledger.commit(position, Work([some]))
    assert [f.at_lo for f in ledger.frames()] == [MARCH, APRIL, MARCH + 5, 5]
    told = rows(address, "SELECT tableoid::regclass::text, count(*) FROM journal GROUP BY 1")
    assert sorted(told) == [("journal_1970_01", 1), ("journal_2026_03", 2), ("journal_2026_04", 1)]
    [(kept,)] = rows(
        address, "SELECT attstorage::text FROM pg_attribute WHERE attname = 'data'"
        " AND attrelid = 'journal_2026_03'::regclass",
    )  # fmt: skip
    assert kept == "e"  # packed already: not packed again
    ledger.close()


def test_two_shards_that_come_to_a_month_together_both_go_on(postgres, template):
    """Each makes the month's part where it is missing; ten months, two writers at once."""
    address = postgres.address(postgres.database(template))
    ledgers = [open_ledger(address, f"case-{n}") for n in range(2)]
    gate, faults = Barrier(2), list[LedgerError]()

    def write(ledger: Any) -> None:
        position = Position()
        for month in range(10):
            gate.wait(30)
            some = frame(position, [b"{}"], at=MARCH + month * 31 * 86_400_000_000)
            try:
                position = ledger.commit(position, Work([some]))
            except LedgerError as fault:
                faults.append(fault)

    threads = [Thread(target=write, args=(one,)) for one in ledgers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert faults == [] and [one.position().seq for one in ledgers] == [10, 10]
    for one in ledgers:
        one.close()


def test_the_right_to_deliver_is_lost_with_its_connection_and_taken_again(address):
    """Whoever lost it does nothing before he has it again; who comes meanwhile has it."""
    first = open_posting(address)
    with pytest.raises(LedgerError, match="another process delivers"):
        open_posting(address)
    with psycopg.connect(address, autocommit=True) as admin:
        locks = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
        admin.execute(f"{locks} AND pid <> %s", (admin.info.backend_pid,))
    heir = open_posting(address)
    with pytest.raises(LedgerError, match="cannot be reached"):
        first.recover(1)
    with pytest.raises(LedgerError, match="another process delivers"):
        first.recover(1)
    heir.close()
    assert first.recover(1) == 0
    first.close()


def test_counts_are_whole_numbers_and_nothing_comes_first(address):
    ledger = open_ledger(address, "case-0")
    counts = [Count("muted", "r", "x", item, "D", 7, 2) for item in ("b", None, "a")]
    ledger.commit(Position(), Work([], [], [], [*counts, counts[0]]))
    told = ledger.counts()
    assert [(one.item, one.n) for one in told] == [(None, 2), ("a", 2), ("b", 4)]
    assert all(type(one.n) is int for one in told)
    ledger.close()


def test_what_a_gateway_says_with_a_nul_stops_nothing(address):
    ledger, outbox = open_ledger(address, "case-0"), open_outbox(address)
    Subject(outbox, ledger).commit(post("a.1"))
    outbox.hear([Heard(1, "sms", "delivered", "", "g\0", "x\0")])
    assert outbox.by_gateway("sms", "g\0") is None and outbox.rows(["a\0"]) == {}
    row = begun(outbox, "a.1", 5)
    ended(outbox, row, SENT, "sent", 6, gateway_id="g\0")
    assert outbox.by_gateway("sms", "g\0") is not None
    assert [one.gateway_id for _, one in outbox.receipts(0, 9)] == ["g␀"]
    assert ledger.findings(Query(case_id="a\0b")) == []
    outbox.close()
    ledger.close()


def test_a_line_with_a_nul_is_kept_where_one_can_see_it(address):
    ledger = open_ledger(address, "case-0")
    refused = Refusal(5, 1, "item", "is missing", "a\0b")
    ledger.commit(Position(), Work([], [], [refused]))
    assert [one.text for _, one in ledger.refusals(0, 9)] == ["a␀b"]
    ledger.close()


def test_readers_cannot_write_and_say_nothing_of_the_address(address):
    reader = open_reader(address, "case-0")
    with pytest.raises(LedgerError, match="read-only"):
        reader._run("DELETE FROM findings RETURNING 1")
    reader.close()
    with pytest.raises(LedgerError, match="cannot be reached") as told:
        open_ledger("host=127.0.0.1 port=1 user=somebody password=swordfish dbname=x", "case-0")
    assert "swordfish" not in str(told.value) and "somebody" not in str(told.value)


def test_a_database_that_does_not_fit_is_named(postgres):
    empty = postgres.address(postgres.database())
    with pytest.raises(LedgerError, match="oriole migrate"):
        open_ledger(empty, "case-0")
    odd = postgres.database("template0", "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'")
    with pytest.raises(LedgerError, match="must be in UTF-8"):
        migrate(postgres.address(odd))


def test_a_migration_is_done_once(postgres, template):
    name = postgres.database(template)
    migrate(postgres.address(name))
    open_ledger(postgres.address(name), "case-0").close()


# -- the road over it -----------------------------------------------------------------------------


def story(rng: random.Random) -> list[dict[str, object]]:
    """Cases of some days: quick ones, slow ones, corrected ones."""
    told: list[dict[str, object]] = []
    for n in range(24):
        day = f"2026-03-{2 + n % 4:02d}"
        case = {"case_id": f"c{n}"}
        told.append(event(f"a{n}", f"{day}T09:{n:02d}:00", "accept") | case)
        gap = rng.choice((20, 59))
        told.append(event(f"s{n}", f"{day}T10:{n:02d}:{gap}", step="survey") | case)
        if rng.random() < 0.3:
            told.append(event(f"x{n}", f"{day}T11:{n:02d}:00", step="review") | case)
    told.sort(key=lambda one: str(one["recorded_at"]))
    return [*told, {"kind": "tick", "at": "2026-05-20T09:00:00+08:00"}]


@pytest.mark.parametrize("seed", range(3))
def test_the_same_findings_and_notices_as_in_memory(address, seed):
    """Cut and killed between batches: one digest, and the proof of the database finds no fault."""
    rng = random.Random(seed)
    lines = story(rng)
    calm, here = Live(MemoryLedger()), Live(open_ledger(address, "case-0"))
    calm.post(*lines)
    cuts = sorted(rng.sample(range(1, len(lines)), 5))
    for begin, end in zip([0, *cuts], [*cuts, len(lines)], strict=True):
        here.post(*lines[begin:end])
        if rng.random() < 0.6:
            here.stop()
            here.ledger.close()
            here.ledger = open_ledger(address, "case-0")
            here.restart()
    calm.stop()
    here.stop()
    assert not calm.failures and not here.failures
    assert here.digest() == calm.digest() and here.findings()
    told = prove([open_reader(address, "case-0")])
    assert told.fault == "" and told.digest == calm.digest() and told.notices > 0
    here.ledger.close()


def lines(*told: object) -> bytes:
    """What a system posts."""
    return b"\n".join(json.dumps(one).encode() for one in told)


@pytest.mark.slow
def test_a_service_over_a_database_is_killed_and_loses_nothing(postgres, tmp_path):
    """`oriole migrate`, `oriole run --ledger`, a kill, and `oriole verify`: the folder holds no
    ledger, and no message names the address."""
    place = f"postgresql://oriole@127.0.0.1:{postgres.port}/{postgres.database()}"
    assert "oriole migrate" in oriole(
        "run", "--data", tmp_path / "no", "--ledger", place, "--port", "0", code=2
    ).stderr  # fmt: skip
    oriole("migrate", place)
    service = Service(tmp_path / "data", ORIOLE_LEDGER=place)
    service.post(lines(ACCEPT, SURVEY, {"kind": "tick", "at": "2026-03-02T09:05:00+08:00"}))
    service.kill()
    again = Service(tmp_path / "data", ORIOLE_LEDGER=place)
    assert again.post(lines(ACCEPT, SURVEY))["duplicates"] == 2
    [notice] = again.ask("/api/v1/notices?tier=2")[1]["items"]
    acted = again.ask(
        f"/api/v1/notices/{notice['notice_id']}/acts", lines({"act": "acknowledge", "actor": "S1"})
    )
    assert acted[0] == 200
    paper = again.ask(f"/api/v1/notices/{notice['notice_id']}/document")
    assert paper[0] == 200 and "督办通知书" in paper[1].decode()
    assert again.ask("/readyz")[1]["delivery"]["state"] == "ready"
    assert "another process" in oriole(
        "deliver", "--data", tmp_path / "data", "--ledger", place, code=2
    ).stderr  # fmt: skip
    assert again.stop() == 0
    told = json.loads(oriole("verify", place, "--json").stdout)
    assert told["sound"] and told["findings"] == 1 and told["notices"] == 1
    assert not (tmp_path / "data" / "ledger.sqlite").exists()
    assert str(postgres.port) not in "".join(again.lines) + json.dumps(told)


def lived(tmp_path) -> dict[str, object]:
    """A folder in which a service has lived; what `oriole verify` says of it."""
    service = Service(tmp_path / "data")
    service.post(lines(*story(random.Random(4)), *(event("", "x") for _ in range(3))))
    [notice] = service.ask("/api/v1/notices?tier=3&state=open&limit=1")[1]["items"]
    [found] = service.ask("/api/v1/findings?limit=1")[1]["items"]
    told = {"kind": "verdict", "fact_id": "v1", "finding_id": found["finding_id"], "reason": "抢险"}
    told |= {"verdict": "justified", "by": "S1", "at": found["at"]}
    assert service.post(lines(told))["accepted"] == 1
    act = lines({"act": "answer", "actor": "S1", "text": "已核实"})
    assert service.ask(f"/api/v1/notices/{notice['notice_id']}/acts", act)[0] == 200
    assert service.ask(f"/api/v1/notices/{notice['notice_id']}/document")[0] == 200
    assert service.stop() == 0
    return json.loads(oriole("verify", tmp_path / "data", "--json").stdout)


def rows_of_all(reader: Any) -> dict[str, list[tuple]]:
    """All that a ledger holds."""
    told = {}
    for table in META.sorted_tables:
        wanted = select(*table.columns).order_by(*table.primary_key.columns)
        told[table.name] = [tuple(row) for row in reader._ask(wanted)]
    return told


@pytest.mark.slow
def test_a_folders_ledger_goes_on_in_a_database(postgres, tmp_path):
    """`oriole export`: row by row the same, the proof gives the same digest, what was sent is not
    sent again, and it goes on from there."""
    before = lived(tmp_path)
    place = f"postgresql://oriole@127.0.0.1:{postgres.port}/{postgres.database()}"
    oriole("migrate", place)
    told = oriole("export", place, "--data", tmp_path / "data").stdout
    assert f"inputs: {before['inputs']}" in told
    file, database = open_file(tmp_path / "data" / FILE), open_reader(place, "all")
    assert rows_of_all(database) == rows_of_all(file)
    kept = ("outbox", "attempts", "refusals", "serials", "verdicts")
    assert all(rows_of_all(file)[name] for name in kept)
    file.close()
    database.close()
    after = json.loads(oriole("verify", place, "--json").stdout)
    for name in ("sound", "digest", "findings", "notices", "inputs"):
        assert after[name] == before[name]
    service = Service(tmp_path / "other", ORIOLE_LEDGER=place)
    assert service.post(lines(event("z1", "2026-05-21T09:00:00", "accept")))["accepted"] == 1
    assert service.post(lines(event("", "x")))["refused"]
    assert service.stop() == 0
    assert json.loads(oriole("verify", place, "--json").stdout)["sound"]
    again = oriole("export", place, "--data", tmp_path / "data", code=2)
    assert "holds a ledger already" in again.stderr


def test_words_with_a_nul_are_proved_like_others(address):
    ledger = open_ledger(address, "case-0")
    live = Live(ledger)
    live.post(ACCEPT, SURVEY, {"kind": "tick", "at": "2026-03-02T09:05:00+08:00"})
    [notice] = ledger.notices(NoticeQuery())
    act = {"kind": "act", "act_id": "x", "notice_id": notice.notice_id, "act": "answer",
           "actor": "S1", "at": "2026-03-02T09:06:00+08:00", "text": "a\0b"}  # fmt: skip
    live.post(act, {"kind": "tick", "at": "2026-03-02T09:07:00+08:00"})
    live.stop()
    assert "a␀b" in [step.text for step in ledger.notice_steps(notice.notice_id)]
    assert prove([open_reader(address, "case-0")]).fault == ""
    ledger.close()


def test_the_address_keeps_its_own_options(postgres):
    """A schema named in the address is that of the migration, and of whoever reads."""
    name = postgres.database()
    with psycopg.connect(postgres.address(name), autocommit=True) as admin:
        admin.execute("CREATE SCHEMA mine")
    place = f"{postgres.address(name)}?options=-csearch_path%3Dmine"
    migrate(place)
    open_ledger(place, "case-0").close()
    with pytest.raises(LedgerError, match="oriole migrate"):
        open_ledger(postgres.address(name), "case-0")


def test_what_a_role_may_not_is_said_without_the_address(postgres):
    name = postgres.database()
    with psycopg.connect(postgres.address(name), autocommit=True) as admin:
        admin.execute("CREATE ROLE guest LOGIN")
    with pytest.raises(LedgerError, match="InsufficientPrivilege") as told:
        migrate(postgres.address(name).replace("oriole@", "guest@"))
    assert "guest" not in str(told.value)


def test_a_folder_without_a_ledger_spoils_no_database(address, tmp_path):
    with pytest.raises(LedgerError, match="no ledger here"):
        DatabasePlace(address).take_over(tmp_path)
    assert not (tmp_path / FILE).exists()
    assert rows(address, "SELECT count(*) FROM position") == [(0,)]


def test_a_proof_finds_what_somebody_changed(address):
    ledger = open_ledger(address, "case-0")
    live = Live(ledger)
    live.post(ACCEPT, SURVEY)
    live.stop()
    ledger._run("UPDATE findings SET tier = tier + 1 RETURNING 1")
    assert "tier" in prove([open_reader(address, "case-0")]).fault
    ledger.close()


def test_a_lost_connection_is_opened_anew_but_never_within_a_transaction(address, postgres):
    """Readers, outbox and numbers go on after a loss; nothing of a cut transaction is there."""
    ledger, outbox = open_ledger(address, "case-0"), open_outbox(address)
    reader, serials = ledger.reader(), open_serials(address)
    here = ledger.commit(Position(), Work([frame(Position(), [b"{}"])], [raised("a", 1)]))
    doors = (
        lambda: reader.finding("a"), outbox.count,
        lambda: serials.given("n", "urge"), ledger.position,
    )  # fmt: skip
    with psycopg.connect(address, autocommit=True) as admin:
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> %s"
        admin.execute(f"{others} AND datname = current_database()", (admin.info.backend_pid,))
    for door in doors:
        with pytest.raises(LedgerError, match="cannot be reached"):
            door()
    assert [door() is not None for door in doors] == [True, True, False, True]
    with pytest.raises(LedgerError), outbox._transaction():
        outbox._connection.execute("INSERT INTO receipts VALUES (9, 1, 'c', 's', 'm', 'g', '')")
        outbox._connection.close()
        outbox.receipts(0, 9)  # within: it must not go on by another connection
    assert outbox.receipts(0, 9) == []
    ledger.commit(here, Work([frame(here, [b'{"n":2}'])]))
    for one in (reader, outbox, serials, ledger):
        one.close()
