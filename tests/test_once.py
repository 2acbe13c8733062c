"""Bodies sent again under their key: the same answer, judged once, whoever restarted meanwhile."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from test_web import V1, House, is_problem

from detector.accounts import replies
from detector.accounts.replies import FILE, KEEPS_US, META, Reply, open_in_database, open_replies
from detector.ledger import LedgerError, postgres_open
from detector.live import Answer, Fault, Unreadable
from detector.web.once import AGAIN, Once

NOW = 1_772_413_200_000_000


@pytest.fixture(params=["sqlite", "postgres"])
def make(request, tmp_path):
    """A maker of doors to one store."""
    made, address = [], ""
    if request.param == "postgres":
        server = request.getfixturevalue("postgres")
        address = server.address(server.database(request.getfixturevalue("template")))

    def door():
        made.append(open_in_database(address) if address else open_replies(tmp_path / FILE))
        return made[-1]

    yield door
    for one in made:
        one.close()


def reply(number: int, at_us: int = NOW) -> Reply:
    return Reply(b"%d" % number, at_us, 200, b'{"n":%d}' % number)


# --- what is kept ---------------------------------------------------------------------------------


def test_the_first_is_kept_for_a_day_and_seen_through_every_door(make):
    one, other = make(), make()
    assert one.find("a", NOW) is None
    assert one.keep("a", reply(1)) == reply(1)
    assert other.keep("a", reply(2, NOW + 5)) == reply(1) == other.find("a", NOW + KEEPS_US)
    assert one.find("a", NOW + KEEPS_US + 1) is None
    late = reply(3, NOW + KEEPS_US + 1)
    assert other.keep("a", late) == late == one.find("a", late.at_us)


def test_the_oldest_go_beyond_the_bound_and_what_is_too_large_is_not_kept(make, monkeypatch):
    monkeypatch.setattr(replies, "REPLIES_MAX", 3)
    store = make()
    for number in range(6):
        store.keep(f"k{number}", reply(number, NOW + number))
    store.prune(NOW + 6)
    assert [n for n in range(6) if store.find(f"k{n}", NOW + 6)] == [3, 4, 5]
    store.prune(NOW + 4 + KEEPS_US)
    assert [n for n in range(6) if store.find(f"k{n}", NOW + 6)] == [4, 5]
    large = Reply(b"", NOW, 200, b"x" * (replies.ANSWER_BYTES_MAX + 1))
    assert store.keep("large", large) is large and store.find("large", NOW) is None


def test_of_many_at_once_one_is_kept(make):
    doors = [make() for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        kept = list(threads.map(lambda n: doors[n % 4].keep("a", reply(n)), range(24)))
    assert len({one.answer for one in kept}) == 1


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match="cannot be written"):
        open_replies(tmp_path / "file" / FILE)
    (tmp_path / FILE).write_text("this is no database, and it is long enough to be looked at" * 99)
    with pytest.raises(LedgerError):
        open_replies(tmp_path / FILE)


def test_the_migration_makes_the_table_of_the_code(postgres, template):
    with postgres_open.connected(postgres.address(template)) as connection:
        rows = connection.execute(
            "SELECT column_name, is_nullable = 'NO', data_type FROM information_schema.columns"
            " WHERE table_name = 'replies' ORDER BY ordinal_position"
        ).fetchall()
    kinds = {"TEXT": "text", "BIGINT": "bigint", "INTEGER": "integer", "BLOB": "bytea"}
    columns = META.tables["replies"].columns
    assert rows == [(c.name, not c.nullable, kinds[str(c.type)]) for c in columns]


# --- over HTTP ------------------------------------------------------------------------------------


@pytest.fixture
def house(tmp_path):
    store = open_replies(tmp_path / FILE)
    with House(replies=store) as one:
        one.now = NOW
        one.web.once._now = lambda: one.now
        yield one
    store.close()


def keyed(house, body, key="k1", **told):
    return house.send(body, headers={"idempotency-key": key, **told})


def test_the_same_again_gets_the_same_answer_and_is_judged_once(house, tmp_path):
    house.service.answer = Answer(2, 1, [Fault(4, "action", "is unknown")])
    first = keyed(house, b"one")
    house.service.answer = Answer(0, 3, [])
    again = keyed(house, b"one")
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers[AGAIN] == "true" and AGAIN not in first.headers
    assert house.service.bodies == [b"one"]
    assert house.send(b"one").json()["duplicates"] == 3  # without a key it is judged
    store = open_replies(tmp_path / FILE)
    with House(house.service, replies=store) as restarted:
        restarted.web.once._now = lambda: NOW + 1
        assert keyed(restarted, b"one").content == first.content
    store.close()
    assert "oriole_answers_again_total 1.0" in house.get("/metrics").text


def test_another_body_under_the_same_key_is_refused(house):
    keyed(house, b"one")
    assert "another body" in is_problem(keyed(house, b"two"), 422)
    assert keyed(house, b"two", "k2").status_code == 200
    house.now += KEEPS_US + 1
    assert keyed(house, b"two").status_code == 200
    assert house.service.bodies == [b"one", b"two", b"two"]


def test_what_was_not_judged_is_not_kept(house):
    house.service.answer = Unreadable("the body is none")
    is_problem(keyed(house, b"["), 400)
    house.service.answer = Answer(1, 0, [])
    assert keyed(house, b"one").status_code == 200


@pytest.mark.parametrize("key", ["", "x" * 256, b"\xe9"])
def test_a_key_that_is_none_is_said(house, key):
    assert "Idempotency-Key" in is_problem(keyed(house, b"one", key), 400)


def test_two_keys_are_none(house):
    told = house.client.post(
        f"{V1}/events", content=b"one",
        headers=[("idempotency-key", "a"), ("idempotency-key", "b")],
    )  # fmt: skip
    is_problem(told, 400)


def test_while_the_first_is_judged_the_second_is_told_to_wait(house):
    begun, may_end = threading.Event(), threading.Event()
    submit = house.service.submit

    def slowly(body, say):
        begun.set()
        threading.Thread(target=lambda: (may_end.wait(20), submit(body, say))).start()

    house.service.submit = slowly
    with ThreadPoolExecutor(1) as thread:
        first = thread.submit(keyed, house, b"one")
        assert begun.wait(20)
        told = keyed(house, b"one")
        is_problem(told, 409)
        assert told.headers["retry-after"] == "1"
        may_end.set()
        assert first.result(20).status_code == 200
    assert keyed(house, b"one").headers[AGAIN] == "true"


def test_an_answer_that_cannot_be_kept_is_given_all_the_same(house, caplog):
    def broken(name, told):
        raise LedgerError("the disk is full")

    house.web.replies.keep = broken
    assert keyed(house, b"one").status_code == 200
    assert "could not be kept" in caplog.text


def test_a_place_that_cannot_be_asked_takes_no_body(house):
    def broken(name, now):
        raise LedgerError("the disk is full")

    house.web.replies.find = broken
    is_problem(keyed(house, b"one"), 503)
    assert house.service.bodies == []


def test_the_first_answer_is_said_in_the_language_of_whoever_asks_again(house):
    house.service.answer = Answer(0, 0, [Fault(1, "action", "is missing")])
    headers = {"idempotency-key": "k"}
    for lang, error in (("zh", "缺失"), ("en", "is missing"), ("zh", "缺失")):
        told = house.send(b"one", headers=headers | {"accept-language": lang})
        assert told.json()["refused"] == [
            {"line": 1, "field": "action", "code": "absent", "error": error}
        ]
    assert len(house.service.bodies) == 1


def test_keys_are_each_senders_own():
    once = Once(replies=object())  # type: ignore[arg-type]

    def scope(account):
        from detector.web.who import WHO, Who

        return {"headers": [(b"idempotency-key", b"k")], WHO: Who(account, "system")}

    assert once.name(scope("a")) == once.name(scope("a")) != once.name(scope("b"))
    assert Once(None).name(scope("a")) is None
