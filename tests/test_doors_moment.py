"""Who comes by a key again within a moment is known from memory: what is written here counts at
once, what another process writes counts after the moment."""

from __future__ import annotations

from contextlib import closing
from threading import Event
from typing import Any

import pytest
from accounts_kit import DAY_US, Kit
from court_kit import ACCOUNTS, V1, Court

from detector.accounts.opening import open_accounts
from detector.web import doors

DOCS, FINDINGS = "/api/docs", f"{V1}/findings"


@pytest.fixture
def court(tmp_path, monkeypatch):
    monkeypatch.setattr(doors, "MOMENT_S", 3_600)
    with Court(tmp_path) as one:
        yield one


def asked(court: Court, monkeypatch: Any, name: str) -> list[Any]:
    """What the store is asked from now on."""
    place = court.kit.registrar if name == "key" else court.kit.store
    call, told = getattr(place, name), list[Any]()

    def counted(*some: Any) -> Any:
        told.append(some)
        return call(*some)

    monkeypatch.setattr(place, name, counted)
    return told


def status(court: Court, header: dict[str, str]) -> int:
    return court.client.get(DOCS, headers=header).status_code


def test_one_key_is_looked_up_once_in_a_moment(court, monkeypatch):
    mine, yours = court.key("mine"), court.key("yours")
    told = asked(court, monkeypatch, "key")
    assert [status(court, mine) for _ in range(3)] == [200] * 3 and len(told) == 1
    assert status(court, yours) == 200 and len(told) == 2
    monkeypatch.setattr(doors, "MOMENT_S", 0)
    assert status(court, mine) == 200 and len(told) == 3


def test_what_is_written_here_counts_at_once(court, monkeypatch):
    mine, yours = court.key("mine"), court.key("yours")
    assert status(court, mine) == status(court, yours) == 200
    court.kit.registrar.revoke(mine["authorization"].split("_")[1], "test", court.kit.came())
    assert (status(court, mine), status(court, yours)) == (401, 200)


def test_what_another_process_writes_counts_after_the_moment(court, tmp_path, monkeypatch):
    mine = court.key("mine")
    assert status(court, mine) == 200
    with closing(open_accounts(tmp_path / ACCOUNTS)) as store:
        other = Kit(store)
        other.registrar.revoke(mine["authorization"].split("_")[1], "test", other.came())
    monkeypatch.setattr(doors, "MOMENT_S", 0)
    assert status(court, mine) == 401


def test_a_key_ends_on_time_all_the_same(court):
    mine = court.key("mine", expires_us=court.kit.now_us + DAY_US)
    assert status(court, mine) == 200
    court.kit.later(DAY_US)
    assert status(court, mine) == 401


def test_a_wrong_key_is_never_remembered(court, monkeypatch):
    told = asked(court, monkeypatch, "key")
    wrong = {"authorization": "Bearer ork_x_y"}
    assert [status(court, wrong) for _ in range(3)] == [401] * 3 and len(told) == 3
    assert not court.doors._held


def test_the_first_account_ends_the_local_administrator(court, monkeypatch):
    told = asked(court, monkeypatch, "empty")
    assert [court.client.get(FINDINGS).status_code for _ in range(3)] == [200] * 3
    assert len(told) == 1
    court.kit.add("li")
    assert court.client.get(FINDINGS).status_code == 401


def aged(court: Court, name: str) -> None:
    """What is remembered by this name is past the first half of its moment."""
    held = court.doors._held[name]
    court.doors._held[name] = held._replace(begun=held.begun - 0.6 * doors.MOMENT_S)


def test_who_asks_on_never_waits_for_the_store(court, monkeypatch):
    """In the second half of a moment the store is asked ahead, once, and nobody waits for it."""
    empty, hold, told = court.kit.store.empty, Event(), list[int]()

    def slow() -> bool:
        told.append(1)
        return hold.wait(20) and empty()

    assert court.client.get(FINDINGS).status_code == 200
    monkeypatch.setattr(court.kit.store, "empty", slow)
    aged(court, "")
    assert [court.client.get(FINDINGS).status_code for _ in range(3)] == [200] * 3
    assert court.doors._asked and not hold.is_set()
    begun = court.doors._held[""].begun
    hold.set()
    while court.doors._asked:
        assert court.client.get(FINDINGS).status_code == 200
    assert len(told) == 1 and court.doors._held[""].begun > begun


def test_what_was_asked_ahead_and_is_refused_counts_at_once(court, tmp_path):
    assert court.client.get(FINDINGS).status_code == 200
    with closing(open_accounts(tmp_path / ACCOUNTS)) as store:
        Kit(store).add("li")  # by another process
    aged(court, "")
    assert court.client.get(FINDINGS).status_code == 200
    while court.doors._asked:
        court.client.get(DOCS)
    assert court.client.get(FINDINGS).status_code == 401


def test_only_so_many_are_remembered(court, monkeypatch):
    monkeypatch.setattr(doors, "HELD_MAX", 2)
    keys = [court.key(f"k{n}") for n in range(5)]
    for one in keys * 2:
        assert status(court, one) == 200
        assert len(court.doors._held) <= 2
