"""Accounts for tests: cheap hashes, a clock that is told, secrets that are counted."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from detector.accounts.audit import Audit
from detector.accounts.desk import Came, Desk
from detector.accounts.passwords import Passwords
from detector.accounts.registrar import Registrar
from detector.accounts.store import Store
from detector.ledger import Position

QUICK = Passwords(time_cost=1, memory_kib=64, lanes=1)
BEGIN_US = 1_772_413_200_000_000
SECOND_US, MINUTE_US, HOUR_US, DAY_US = 1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000
GOOD = "Ganjing-7-shui"


class Chance:
    """Bytes in hex, other ones each time, the same in each run."""

    def __init__(self) -> None:
        self.drawn = 0

    def __call__(self, size: int) -> str:
        self.drawn += 1
        return hashlib.shake_256(b"%d" % self.drawn).hexdigest(size)


@dataclass
class Kit:
    """A desk over a store."""

    store: Store
    now_us: int = BEGIN_US
    head: Position = field(default_factory=Position)

    def __post_init__(self) -> None:
        self.audit = Audit(self.store.book, lambda: self.head)
        self.desk = Desk(self.store, self.audit, QUICK, Chance())
        self.registrar = Registrar(self.desk)

    def came(self, address: str = "10.0.0.1") -> Came:
        return Came(self.now_us, address, "test")

    def later(self, us: int) -> None:
        """Time passes."""
        self.now_us += us

    def add(self, name: str, role: str = "centre", **told: Any) -> str:
        """An account; the password that serves once."""
        more = {"departments": None, "person": ""} | told
        return self.registrar.add(name, role, by="test", came=self.came(), **more)

    def settled(self, name: str, role: str = "centre", password: str = GOOD, **told: Any) -> str:
        """An account that has chosen its password; the token of a session."""
        token, stage = self.desk.login(name, self.add(name, role, **told), self.came())
        assert stage == "password"
        return self.desk.first_password(token, password, self.came())

    def acts(self) -> list[str]:
        """What was done, in order."""
        return [line.act for line in self.audit.all()]
