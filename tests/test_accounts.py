"""Accounts as a store and a desk: laws over both databases, and a chain that shows every change."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import msgspec
import pyotp
import pytest
from accounts_kit import BEGIN_US, DAY_US, GOOD, HOUR_US, MINUTE_US, SECOND_US, Kit
from hypothesis import given
from hypothesis import strategies as st

from detector.accounts import Refused, codes
from detector.accounts.audit import Deed, Wanted, verify
from detector.accounts.bucket import Buckets
from detector.accounts.opening import FILE, open_accounts, open_in_database
from detector.accounts.passwords import Passwords, weakness
from detector.accounts.tables import META
from detector.accounts.throttle import WAIT_S_MAX, wait_s
from detector.ledger import LedgerError, Position, postgres_open


@pytest.fixture(params=["sqlite", "postgres"])
def make(request, tmp_path):
    """A maker of doors to one store."""
    made = []
    address = ""
    if request.param == "postgres":
        server = request.getfixturevalue("postgres")
        address = server.address(server.database(request.getfixturevalue("template")))

    def door():
        made.append(open_in_database(address) if address else open_accounts(tmp_path / FILE))
        return made[-1]

    yield door
    for one in made:
        one.close()


@pytest.fixture
def kit(make):
    return Kit(make())


def refused(code: str):
    """What raises `Refused` with this word."""
    return pytest.raises(Refused, match="") if not code else _Refused(code)


class _Refused:
    def __init__(self, code: str) -> None:
        self.code = code
        self.fault: Refused

    def __enter__(self) -> _Refused:
        return self

    def __exit__(self, kind, fault, trace) -> bool:
        assert isinstance(fault, Refused), f"nothing was refused: {fault!r}"
        assert fault.code == self.code, fault
        self.fault = fault
        return True


# --- coming in ------------------------------------------------------------------------------------


def test_an_empty_store_knows_that_it_is(make):
    kit = Kit(make())
    other = make()
    assert kit.store.empty() and other.empty()
    kit.add("li")
    assert not kit.store.empty() and not other.empty()


def test_a_key_alone_ends_emptiness_too(kit):
    kit.registrar.add_key("feed", "system", ("send",), None, "test", kit.came())
    assert not kit.store.empty()


def test_the_first_password_serves_once_and_for_nothing_else(kit):
    given_out = kit.add("Li.Wei", "centre", departments=("D01", "D02"), person="S1")
    token, stage = kit.desk.login(" li.wei ", given_out, kit.came())
    assert stage == "password"
    session, account = kit.desk.who(token, kit.now_us)
    assert session.stage == "password" and account.departments == ("D01", "D02")
    with refused("ended"):
        kit.desk.code(token, "123456", kit.came())
    fresh = kit.desk.first_password(token, GOOD, kit.came())
    assert kit.desk.who(token, kit.now_us) is None, "the session before the change goes on"
    assert kit.desk.who(fresh, kit.now_us)[0].stage == ""
    with refused("wrong"):
        kit.desk.login("li.wei", given_out, kit.came())
    assert kit.desk.login("li.wei", GOOD, kit.came())[1] == ""


def test_a_password_that_was_given_out_does_not_serve_for_ever(kit):
    given_out = kit.add("li")
    kit.later(7 * DAY_US + SECOND_US)
    with refused("wrong"):
        kit.desk.login("li", given_out, kit.came())


@pytest.mark.parametrize("name", ["li", "nobody", "shut"])
def test_what_is_wrong_is_not_said(kit, name):
    """A wrong password, no such account and one that is shut are answered alike, and each looks at
    a hash: so they take as long."""
    kit.settled("li")
    kit.settled("shut")
    kit.registrar.disable("shut", True, "test", kit.came())
    looked = []
    real = kit.desk.passwords._hash.verify

    class Counting:
        def verify(self, told, held):
            looked.append(held)
            return real(told, held)

    kit.desk.passwords = Passwords(1, 64, 1)
    kit.desk.passwords._hash = Counting()
    with refused("wrong") as told:
        kit.desk.login(name, GOOD if name == "shut" else "wrong password", kit.came())
    assert str(told.fault) == "name or password is wrong" and len(looked) == 1
    assert looked[0].startswith("$argon2id$")


def test_failures_make_wait_twice_as_long_each_time(kit):
    kit.settled("li")
    waits = []
    for attempt in range(20):
        with refused("wrong" if attempt < 5 else "wait") as told:
            kit.desk.login("li", "wrong password", kit.came())
        if attempt < 5:
            continue
        waits.append(told.fault.retry_after_s)
        with refused("wait"):
            kit.desk.login("li", GOOD, kit.came("10.0.0.9"))  # the right one waits as well
        kit.later(told.fault.retry_after_s * SECOND_US)
        with refused("wrong"):
            kit.desk.login("li", "wrong password", kit.came(f"10.0.1.{attempt}"))
    assert waits[:4] == [1, 2, 4, 8] and max(waits) == WAIT_S_MAX
    kit.later(WAIT_S_MAX * SECOND_US)
    kit.desk.login("li", GOOD, kit.came())
    with refused("wrong"):
        kit.desk.login("li", "wrong password", kit.came())  # it begins anew


def test_an_address_that_tries_many_names_waits(kit):
    kit.settled("li")
    for k in range(30):
        with refused("wrong"):
            kit.desk.login(f"name{k}", "wrong password", kit.came("10.9.9.9"))
    with refused("wait"):
        kit.desk.login("li", GOOD, kit.came("10.9.9.9"))
    kit.desk.login("li", GOOD, kit.came("10.0.0.1"))


def test_many_guesses_at_once_are_no_more_than_one_after_the_other(make):
    Kit(make()).settled("li")
    kits, start = [Kit(make()) for _ in range(8)], Barrier(8)

    def guess(kit: Kit) -> list[str]:
        start.wait(30)
        told = []
        for _ in range(4):
            try:
                kit.desk.login("li", "wrong password", kit.came())
            except Refused as fault:
                told.append(fault.code)
        return told

    with ThreadPoolExecutor(8) as pool:
        codes_ = [code for told in pool.map(guess, kits) for code in told]
    assert sorted(codes_) == ["wait"] * 27 + ["wrong"] * 5
    assert verify(kits[0].audit, lambda seq: None)[1] == ""


@given(st.integers(0, 100), st.integers(0, 7_200), st.integers(0, 40))
def test_a_wait_is_never_negative_nor_long(count, passed_s, free):
    wait = wait_s(count, BEGIN_US, BEGIN_US + passed_s * SECOND_US, free)
    assert 0 <= wait <= WAIT_S_MAX and (count >= free or wait == 0)
    assert wait == 0 or wait_s(count, BEGIN_US, BEGIN_US + (passed_s + wait) * SECOND_US, free) == 0


# --- passwords ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short-7", "too_short"), ("x" * 129, "too_long"), ("my-Zhang-pass", "has_name"),
        ("aaaaaaaaaaaa", "too_plain"), ("12345678901", "too_plain"), ("9876543210", "too_plain"),
        ("Password2024!", "common"), ("1q2w3e4r5t", "common"), ("qwertyuiop123", "common"),
        (GOOD, ""), ("一二三四五六七八九十", ""),
    ],
)  # fmt: skip
def test_weak_passwords_are_named(password, why):
    assert weakness(password, ("zhang", "")) == why


def test_passwords_are_kept_as_argon2id_and_compared_as_typed_anywhere():
    made = Passwords()
    held = made.hash("Café-Ganjing-7")
    assert held.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert made.fits("Cafe\u0301-Ganjing-7", held) and not made.fits("Café-Ganjing-8", held)
    assert not made.fits("", "") and not made.fits("what no account has", "")


def test_the_last_passwords_are_not_chosen_again(kit):
    kit.settled("li")
    with refused("used_before"):
        kit.desk.change_password("li", GOOD, GOOD, kit.came())
    last = GOOD
    for k in range(5):
        kit.later(MINUTE_US)
        kit.desk.change_password("li", last, f"{GOOD}{k}", kit.came())
        last = f"{GOOD}{k}"
        if k < 4:
            with refused("used_before"):
                kit.desk.change_password("li", last, GOOD, kit.came())
    kit.later(MINUTE_US)
    kit.desk.change_password("li", last, GOOD, kit.came())


def test_a_change_of_password_asks_for_the_one_of_now_and_ends_all_sessions(kit):
    tokens = [kit.settled("li"), *(kit.desk.login("li", GOOD, kit.came())[0] for _ in range(2))]
    with refused("wrong"):
        kit.desk.change_password("li", "wrong password", "Another-7-word", kit.came())
    assert all(kit.desk.who(one, kit.now_us) for one in tokens)
    fresh = kit.desk.change_password("li", GOOD, "Another-7-word", kit.came())
    assert [kit.desk.who(one, kit.now_us) for one in tokens] == [None] * 3
    assert kit.desk.who(fresh, kit.now_us)


# --- sessions -------------------------------------------------------------------------------------


def test_a_session_ends_by_idleness_and_by_age(kit):
    token = kit.settled("li")
    kit.later(HOUR_US + SECOND_US)
    assert kit.desk.who(token, kit.now_us) is None
    token, _ = kit.desk.login("li", GOOD, kit.came())
    for _ in range(12):
        assert kit.desk.who(token, kit.now_us)
        kit.later(HOUR_US)
    kit.later(SECOND_US)
    assert kit.desk.who(token, kit.now_us) is None


def test_a_disabled_account_has_no_session_whoever_disabled_it(kit):
    token = kit.settled("li")
    kit.store.change(msgspec.structs.replace(kit.store.account("li"), disabled=True))
    assert kit.desk.who(token, kit.now_us) is None


def test_a_session_that_lacks_a_stage_ends_soon(kit):
    token, stage = kit.desk.login("li", kit.add("li"), kit.came())
    kit.later(10 * MINUTE_US + SECOND_US)
    assert stage and kit.desk.who(token, kit.now_us) is None


@pytest.mark.parametrize("act", ["disable", "reset", "change", "logout", "end_one"])
def test_what_ends_sessions(kit, act):
    token = kit.settled("li")
    other, _ = kit.desk.login("li", GOOD, kit.came())
    came = kit.came()
    if act == "disable":
        kit.registrar.disable("li", True, "test", came)
    elif act == "reset":
        kit.registrar.reset("li", "test", came)
    elif act == "change":
        kit.registrar.change("li", "auditor", None, "", "test", came)
    elif act == "logout":
        kit.desk.logout(token, came)
    else:
        kit.desk.end_one("li", kit.desk.who(token, kit.now_us)[0].token, came)
    assert kit.desk.who(token, kit.now_us) is None
    assert bool(kit.desk.who(other, kit.now_us)) == (act in ("logout", "end_one"))


def test_nobody_ends_the_session_of_another(kit):
    token = kit.settled("li")
    kit.settled("wu")
    with refused("none"):
        kit.desk.end_one("wu", kit.desk.who(token, kit.now_us)[0].token, kit.came())
    assert kit.desk.who(token, kit.now_us)


def test_no_secret_is_kept_as_it_was_given(make, tmp_path):
    kit = Kit(make())
    token = kit.settled("li")
    _, key = kit.registrar.add_key("feed", "system", ("send",), None, "test", kit.came())
    fresh = kit.desk.enrol("li", secret := codes.new_secret(kit.desk.chance), _code(kit, secret),
                           kit.came())  # fmt: skip
    rows = [str(kit.store.book.ask_once(table.select())).casefold() for table in META.sorted_tables]
    for told in (token, key.split("_")[2], GOOD, *fresh, fresh[0].replace("-", "")):
        assert not any(told.casefold() in text for text in rows)


def test_the_file_is_its_owners_alone(tmp_path):
    store = open_accounts(tmp_path / FILE)
    Kit(store).add("li")
    modes = {one.name: one.stat().st_mode & 0o777 for one in tmp_path.iterdir()}
    store.close()
    assert set(modes.values()) == {0o600}, modes


def test_a_file_of_a_newer_version_is_refused(tmp_path):
    store = open_accounts(tmp_path / FILE)
    store.book._connection.execute("PRAGMA user_version=99")
    store.close()
    with pytest.raises(LedgerError, match="newer version"):
        open_accounts(tmp_path / FILE)


def test_migrations_make_the_tables_of_the_code(postgres, template):
    with postgres_open.connected(postgres.address(template)) as connection:
        for table in META.sorted_tables:
            rows = connection.execute(
                "SELECT column_name, is_nullable = 'NO', data_type FROM information_schema.columns"
                " WHERE table_name = %s ORDER BY ordinal_position", (table.name,),
            ).fetchall()  # fmt: skip
            kinds = {"TEXT": "text", "BIGINT": "bigint", "INTEGER": "integer", "BLOB": "bytea"}
            assert rows == [(c.name, not c.nullable, kinds[str(c.type)]) for c in table.columns], (
                table.name
            )
            indexes = connection.execute(
                "SELECT indexname FROM pg_indexes WHERE tablename = %s", (table.name,)
            ).fetchall()
            assert {i.name for i in table.indexes} <= {row[0] for row in indexes}


# --- one-time codes -------------------------------------------------------------------------------


def _code(kit: Kit, secret: str, steps: int = 0) -> str:
    return pyotp.TOTP(secret).at(kit.now_us // SECOND_US + 30 * steps)


def enrolled(kit: Kit) -> tuple[str, list[str]]:
    """An account with codes; its secret and recovery codes."""
    kit.settled("li")
    secret = codes.new_secret(kit.desk.chance)
    return secret, kit.desk.enrol("li", secret, _code(kit, secret), kit.came())


def test_a_code_is_asked_for_and_taken_once(kit):
    secret, _ = enrolled(kit)
    kit.later(MINUTE_US)
    token, stage = kit.desk.login("li", GOOD, kit.came())
    assert stage == "code"
    assert kit.desk.code(token, _code(kit, secret), kit.came()) == ""
    assert kit.desk.who(token, kit.now_us)[0].stage == ""
    again, _ = kit.desk.login("li", GOOD, kit.came())
    with refused("wrong_code"):
        kit.desk.code(again, _code(kit, secret), kit.came())
    with refused("wrong_code"):
        kit.desk.code(again, _code(kit, secret, -1), kit.came())  # older than one that was taken
    assert kit.desk.code(again, _code(kit, secret, 1), kit.came()) == ""


@pytest.mark.parametrize("code", ["", "abcdef", "12345", "1234567", "１２３４５６", "000000\n"])
def test_what_is_no_code(kit, code):
    enrolled(kit)
    token, _ = kit.desk.login("li", GOOD, kit.came())
    with refused("wrong_code"):
        kit.desk.code(token, code, kit.came())


def test_codes_cannot_be_guessed_at_will(kit):
    secret, _ = enrolled(kit)
    kit.later(MINUTE_US)
    token, _ = kit.desk.login("li", GOOD, kit.came())
    for _ in range(5):
        with refused("wrong_code"):
            kit.desk.code(token, "nothing", kit.came())
    with refused("wait"):
        kit.desk.code(token, _code(kit, secret), kit.came())
    token, _ = kit.desk.login("li", GOOD, kit.came())  # to come in again does not help
    with refused("wait"):
        kit.desk.code(token, _code(kit, secret), kit.came())


def test_a_recovery_code_serves_once_however_it_is_typed(kit):
    _, fresh = enrolled(kit)
    token, _ = kit.desk.login("li", GOOD, kit.came())
    assert kit.desk.code(token, f" {fresh[3].upper()} ", kit.came()) == ""
    assert kit.store.recovery_left("li") == len(fresh) - 1
    token, _ = kit.desk.login("li", GOOD, kit.came())
    with refused("wrong_code"):
        kit.desk.code(token, fresh[3], kit.came())


def test_codes_are_on_only_for_who_can_make_one_and_off_only_by_one(kit):
    kit.settled("li")
    secret = codes.new_secret(kit.desk.chance)
    with refused("wrong_code"):
        kit.desk.enrol("li", secret, "000000", kit.came())
    kit.desk.enrol("li", secret, _code(kit, secret), kit.came())
    with refused("none"):
        kit.desk.enrol("li", secret, _code(kit, secret), kit.came())
    with refused("wrong_code"):
        kit.desk.no_codes("li", "000000", kit.came())
    kit.later(MINUTE_US)
    kit.desk.no_codes("li", _code(kit, secret), kit.came())
    assert kit.desk.login("li", GOOD, kit.came())[1] == ""


def test_what_an_authenticator_is_told():
    secret = "JBSWY3DPEHPK3PXP" * 2
    told = codes.address(secret, "li@home")
    assert told.startswith(f"otpauth://totp/Oriole:li%40home?secret={secret}&issuer=Oriole&")
    read = pyotp.parse_uri(told)
    assert (read.secret, read.name, read.issuer) == (secret, "li@home", "Oriole")


# --- accounts and keys ----------------------------------------------------------------------------


def test_names_are_plain_and_taken_once(kit):
    for name in ("", "x", "a b", "a/b", "<i>", "x" * 65):
        with refused("bad_name"):
            kit.add(name)
    kit.add("Li")
    with refused("taken"):
        kit.add("lI")


def test_the_last_who_keeps_accounts_stays(kit):
    kit.add("keeper", "security")
    with refused("last_keeper"):
        kit.registrar.disable("keeper", True, "test", kit.came())
    with refused("last_keeper"):
        kit.registrar.change("keeper", "admin", None, "", "test", kit.came())
    kit.add("second", "security")
    kit.registrar.disable("keeper", True, "test", kit.came())
    with refused("last_keeper"):
        kit.registrar.disable("second", True, "test", kit.came())
    kit.registrar.disable("keeper", False, "test", kit.came())
    kit.registrar.disable("second", True, "test", kit.came())


def test_a_reset_takes_codes_away_and_asks_for_a_new_password(kit):
    enrolled(kit)
    given_out = kit.registrar.reset("li", "test", kit.came())
    assert kit.desk.login("li", given_out, kit.came())[1] == "password"
    assert kit.store.recovery_left("li") == 0


def test_a_key_is_known_by_the_whole_of_it(kit):
    key_id, told = kit.registrar.add_key(
        "feed", "system", ("send",), ("D01",), "test", kit.came(), 60, kit.now_us + DAY_US
    )
    held = kit.registrar.key(told, kit.now_us)
    assert (held.key_id, held.powers, held.departments) == (key_id, ("send",), ("D01",))
    flipped = told[:-1] + ("0" if told[-1] != "0" else "1")
    for wrong in ("", "x", f"ork_{key_id}_", f"ork_{key_id}", f"ork__{told}", flipped, told + "0",
                  told.replace("ork", "key"), f"ork_{'0' * 12}_{told.split('_')[2]}",
                  "ork_\ud800_x"):  # fmt: skip
        assert kit.registrar.key(wrong, kit.now_us) is None, wrong
    assert kit.registrar.key(told, kit.now_us + DAY_US) is None
    kit.registrar.revoke(key_id, "test", kit.came())
    assert kit.registrar.key(told, kit.now_us) is None
    with refused("none"):
        kit.registrar.revoke(key_id, "test", kit.came())


def test_a_bucket_gives_so_many_a_minute():
    buckets = Buckets()
    assert [buckets.take("k", 60, 0.0) for _ in range(61)] == [0] * 60 + [2]
    assert buckets.take("other", 60, 0.0) == 0
    assert [buckets.take("k", 60, 3.0) for _ in range(4)] == [0, 0, 0, 2]
    assert sum(buckets.take("k", 60, t / 10) == 0 for t in range(31, 631)) == 60


# --- the audit ------------------------------------------------------------------------------------


def test_every_act_leaves_a_row_in_one_chain(make):
    kit, other = Kit(make()), Kit(make())
    token = kit.settled("li")
    kit.head = Position(7, 70, b"h" * 32)
    kit.desk.logout(token, kit.came())
    other.head = Position(9, 90, b"i" * 32)
    other.registrar.disable("li", True, "boss", other.came())
    with refused("wrong"):
        other.desk.login("li", GOOD, other.came("10.7.7.7"))
    assert kit.acts() == [
        "account_added", "login", "password_changed", "login", "logout", "account_disabled",
        "login_refused",
    ]  # fmt: skip
    assert verify(kit.audit, lambda seq: None) == (7, "")
    frames = {7: b"h" * 32, 9: b"i" * 32}
    assert verify(kit.audit, frames.get) == (7, "")
    frames[9] = b"j" * 32
    assert verify(kit.audit, frames.get) == (5, "row 6 was written beside another journal")
    last, *_ = kit.audit.lines(Wanted(limit=1))
    assert (last.actor, last.address, last.ledger_seq) == ("li", "10.7.7.7", 9)
    assert GOOD not in str(list(kit.audit.all()))


@pytest.mark.parametrize("column", [c.name for c in META.tables["audit"].columns])
def test_a_changed_row_is_found(tmp_path, column):
    kit = Kit(open_accounts(tmp_path / FILE), head=Position(3, 3, b"h" * 32))
    for k in range(5):
        kit.audit.write(Deed(kit.now_us + k, "li", "centre", "read", f"p{k}"))
    assert verify(kit.audit, lambda seq: None) == (5, "")
    wrong = {"number": 9, "at_us": 1, "ledger_seq": 4}.get(
        column, b"x" * 32 if column.endswith("hash") else "other"
    )
    run = kit.store.book._connection.execute
    run(f"UPDATE audit SET {column} = ? WHERE number = 3", (wrong,))
    sound, fault = verify(kit.audit, lambda seq: None)
    assert sound == 2 and "3" in fault
    kit.store.close()


def test_a_removed_row_is_found(tmp_path):
    kit = Kit(open_accounts(tmp_path / FILE))
    for k in range(5):
        kit.audit.write(Deed(kit.now_us + k, "li", "centre", "read", f"p{k}"))
    kit.store.book._connection.execute("DELETE FROM audit WHERE number = 2")
    assert verify(kit.audit, lambda seq: None) == (1, "row 2 is missing")
    kit.store.close()


def test_the_audit_is_asked_by_pages_actor_and_act(kit):
    for k in range(250):
        kit.audit.write(Deed(k, f"a{k % 2}", "", ("read", "read_x", "act%")[k % 3], f"p{k}"))
    first = kit.audit.lines(Wanted(limit=100))
    then = kit.audit.lines(Wanted(before=first[-1].number, limit=100))
    assert [one.number for one in [*first, *then]] == list(range(250, 50, -1))
    assert {one.actor for one in kit.audit.lines(Wanted(actor="a1"))} == {"a1"}
    assert {one.act for one in kit.audit.lines(Wanted(act="read"))} == {"read", "read_x"}
    assert {one.act for one in kit.audit.lines(Wanted(act="act%"))} == {"act%"}
    assert kit.audit.lines(Wanted(act="%")) == []
    assert len(list(kit.audit.all())) == 250
