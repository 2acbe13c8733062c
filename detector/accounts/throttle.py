"""How long whoever failed must wait: twice as long each time, for an account and for an address.

A failure is counted before the password is looked at, so many guesses at once are no more than one
after the other. The wait of an account is bounded: nobody is locked out by others for longer.
"""

from __future__ import annotations

from detector.accounts import Refused
from detector.accounts.store import Store

ACCOUNT_FREE, ADDRESS_FREE = 5, 30  # failures in a row that cost nothing
WAIT_S_MAX = 300
FORGOTTEN_US = 3_600_000_000  # after so long without a failure the count begins anew


def wait_s(count: int, last_us: int, now_us: int, free: int) -> int:
    """Seconds that are still to wait."""
    if count < free or now_us - last_us > FORGOTTEN_US:
        return 0
    wait = min(2 ** min(count - free, 20), WAIT_S_MAX)
    return max(0, -((now_us - last_us - wait * 1_000_000) // 1_000_000))


def admit(store: Store, name: str, address: str, now_us: int) -> None:
    """Count an attempt as failed before it is looked at. Raises `Refused` while there is to wait;
    such an attempt is not counted."""
    with store.book.write():
        counts = []
        for subject, free in (("a:" + name, ACCOUNT_FREE), ("i:" + address, ADDRESS_FREE)):
            count, last_us = store.failures(subject)
            wait = wait_s(count, last_us, now_us, free)
            if wait:
                raise Refused("wait", "too many attempts failed; come again later", wait)
            counts.append((subject, 1 if now_us - last_us > FORGOTTEN_US else count + 1))
        for subject, count in counts:
            store.count_failure(subject, count, now_us)


def succeeded(store: Store, name: str, address: str, now_us: int) -> None:
    """It was right: the account's failures are forgotten, and this one of the address."""
    with store.book.write():
        store.forget("a:" + name)
        count, _ = store.failures("i:" + address)
        if count > 1:
            store.count_failure("i:" + address, count - 1, now_us)
        else:
            store.forget("i:" + address)
