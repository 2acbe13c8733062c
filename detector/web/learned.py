"""What the routes about learners share: what their epochs come to, who sees which limits, and acts.

A limit that is told by items binds everybody alike, and whoever is judged by it may know it. One
that is told by department or person belongs to that department, and to who may look at persons.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from datetime import date
from threading import Lock
from typing import Any

import msgspec

from detector.adapters.machine import chance
from detector.engine import Engine
from detector.event import LEARNER_ACTS
from detector.learned import Sees, everything, fold
from detector.learning.acts import APPROVE, FREEZE, REJECT, ROLLBACK, THAW
from detector.learning.desk import LEARNING
from detector.learning.epochs import DAYS_KEPT, Key, name_of
from detector.learning.settings import InForce
from detector.learning.told import Told
from detector.ledger import Reading
from detector.values import DAY_US, day_of_date, iso_time
from detector.web.events import judged
from detector.web.notices import EFFECT_LOOK_S, EFFECT_S, SOON_S, Notices
from detector.web.problems import Problem
from detector.web.queries import instant
from detector.web.said import Said
from detector.web.scopes import acting
from detector.web.who import PERSONS, RULES, Who

REASON_MAX = 2_000
EPOCHS_LOOKED_AT = 100  # since an act was sent
ALL = "*"  # a part of a limit's name that stands for any
Figures = dict[str, tuple[int, int, int]]  # learner → limits in force, waiting, frozen


class _Size(msgspec.Struct):
    """Of an epoch's document what a gauge tells."""

    limits: int


class Learned:
    """Learners of the district that judges now, over the ledger's epochs."""

    def __init__(self, notices: Notices, engine: Callable[[], Engine]) -> None:
        self.notices, self.engine = notices, engine
        self.figures: Figures = {}  # as they were last looked at
        self._folds: dict[str, tuple[int, Told]] = {}
        self._lock = Lock()

    # -- questions ------------------------------------------------------------------------------

    @property
    def in_force(self) -> InForce | None:
        """The learners that are on; None where the district does not learn."""
        desk = self.engine().learn_desk
        return desk.in_force if desk else None

    def known(self, learner: str) -> InForce:
        """The learners, where this is one of them. Raises `Problem`."""
        held = self.in_force
        if held is None:
            raise Problem(404, "learns_not")
        if learner not in held.learners:
            raise Problem(404, "no_learner")
        return held

    def told(self, reader: Reading, learner: str, day: int | None = None) -> Told:
        """What its epochs come to, up to now or to the end of a day; asked in a reader's thread."""
        if day is not None:
            return fold(reader, learner, Told(), until_day=day)[1]
        with self._lock:
            number, told = self._folds.get(learner, (0, Told()))
            self._folds[learner] = number, told = fold(reader, learner, told, number)
        return told

    def sees(self, me: Who, learner: str) -> Sees:
        """Which limits of a learner are somebody's to see."""
        held = self.in_force
        keys = held.learners[learner].keys if held else ()
        people = self.engine().district.people
        if "operator" in keys and not me.may(PERSONS):
            return lambda key: False
        if me.departments is None or not {"department", "operator"}.intersection(keys):
            return everything
        at = keys.index("department" if "department" in keys else "operator")

        def sees(key: Key) -> bool:
            if keys[at] == "department" or key[at] == ALL:
                return key[at] == ALL or me.sees(key[at])
            person = people.get(key[at])
            return person is not None and me.sees(person.department)

        return sees

    def measure(self, reader: Reading) -> None:
        """Look at the figures that gauges tell."""
        told = Figures()
        for name in self.in_force.learners if self.in_force else ():
            last = reader.epochs(name, 1)
            size = msgspec.json.decode(last[0].doc, type=_Size).limits if last else 0
            told[name] = (size, last[0].waits, last[0].frozen) if last else (0, 0, 0)
        self.figures = told

    # -- acts -----------------------------------------------------------------------------------

    def may(self, me: Who) -> bool:
        """Whether somebody may act on learners: their limits are the whole district's."""
        return me.may(RULES) and me.departments is None

    async def act(self, me: Who, learner: str, told: dict[str, Any], once: str) -> bool:
        """Let an act be judged; whether it is in force already. `once` names it, so that what is
        sent twice counts once. Raises `Problem`."""
        self.known(learner)
        if not self.may(me):
            raise Problem(403, "limits_whole_district")
        readers = self.notices.readers
        before = await readers.ask(lambda r: self.told(r, learner))
        line = self._line(learner, told, before) | {"actor": acting(me, told)["actor"]}
        name = hashlib.sha256(f"{once or chance(16)} {learner}".encode()).hexdigest()[:32]
        at = iso_time(max(self.notices.service.figures.clock_us, before.at, 1))
        last = self._folds[learner][0]
        body = {"kind": LEARNING, "fact_id": name, "learner": learner, "at": at} | line
        answer = await judged(self.notices.service, msgspec.json.encode(body))
        again = bool(answer.duplicates)
        if answer.refused:
            first = answer.refused[0]
            again = "conflict" in first.error  # it was sent before, at another instant
            if not again:
                raise Problem(400, "field", field=first.field, why=Said(first.error))
        return await self._effect(learner, line, 0 if again else last)

    async def _effect(self, learner: str, line: dict[str, Any], last: int) -> bool:
        """Wait until an act was judged: then it has brought an epoch behind this number."""
        loop, service = asyncio.get_running_loop(), self.notices.service
        most_s = EFFECT_S if service.deferred or service.wall else SOON_S  # else time may stand
        until = loop.time() + most_s
        wanted = (line["act"], line["actor"], line["reason"])

        def found(reader: Reading) -> bool:
            rows = reader.epochs_before(learner, None, EPOCHS_LOOKED_AT)
            told = (row for number, row in rows if number > last and row.cause == line["act"])
            return any(_who(row.doc) == wanted for row in told)

        while not await self.notices.readers.ask(found):
            if loop.time() > until:
                return False
            await asyncio.sleep(EFFECT_LOOK_S)
        return True

    def _line(self, learner: str, told: dict[str, Any], before: Told) -> dict[str, Any]:
        """The act's own fields, once they are sound and possible. Raises `Problem`."""
        act, reason, key, to = (told.get(n) or "" for n in ("act", "reason", "key", "to"))
        if act not in LEARNER_ACTS:
            raise Problem(400, "act_unknown", known=", ".join(LEARNER_ACTS))
        if not isinstance(reason, str) or not 0 < len(reason.strip()) <= REASON_MAX:
            raise Problem(400, "reason_needed", n=REASON_MAX)
        if not isinstance(key, str) or not isinstance(to, str):
            raise Problem(400, "key_to_texts")
        _need_possible(act, key, before)
        line = {"act": act, "reason": reason.strip()}
        if key and act in (APPROVE, REJECT, FREEZE):
            line["key"] = key
        if act == ROLLBACK and to:
            line["to"] = iso_time(self._day_back(to))
        return line

    def _day_back(self, text: str) -> int:
        """An instant of the day that a roll-back goes back to. Raises `Problem`."""
        zone = self.notices.zone
        at = instant("to", text[:10], zone)
        calendar = self.engine().calendar
        today = int(calendar.day(self.notices.service.figures.clock_us))
        day = int(calendar.day(at)) if at is not None else today
        if not today - DAYS_KEPT <= day < today:
            raise Problem(400, "rollback_day", n=DAYS_KEPT)
        return int(zone.utc(day * DAY_US)) + DAY_US // 2


def _need_possible(act: str, key: str, before: Told) -> None:
    """Raises `Problem` where an act would come to nothing."""
    if act in (APPROVE, REJECT):
        names = {name_of(one.key) for one in before.waiting}
        if not names or (key and key not in names):
            raise Problem(409, "limit_waits_not")
    elif act == FREEZE and key:
        if not any(key in name for name in before.limits):
            raise Problem(400, "limit_not_in_force")
    elif act == THAW and not before.frozen:
        raise Problem(409, "nothing_frozen")
    elif act == ROLLBACK and not before.epochs:
        raise Problem(409, "nothing_published")


class _Acted(msgspec.Struct):
    actor: str = ""
    reason: str = ""
    cause: str = ""


def _who(doc: bytes) -> tuple[str, str, str]:
    told = msgspec.json.decode(doc, type=_Acted)
    return told.cause, told.actor, told.reason


def day_of(text: str | None) -> int | None:
    """A local day of a query, days since 1970. Raises `Problem`."""
    try:
        return day_of_date(date.fromisoformat(text)) if text else None
    except ValueError:
        raise Problem(400, "day_unread") from None
