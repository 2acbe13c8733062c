"""Who receives a notice (接收人): people of people.csv by tier, level, item and department.

Where nobody is found it goes to the duty officer (值班员), and says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from detector.district import Person
from detector.ladder import TIERS, Ladder, Special
from detector.notice import Notice

NO_RECIPIENT, PERSON_LEFT, NO_DUTY = "no_recipient", "person_left", "no_duty_officer"


class Recipients:
    """The people of a district, ready to be asked."""

    def __init__(self, ladder: Ladder, people: Mapping[str, Person]) -> None:
        self.ladder, self.people = ladder, people
        self._at: dict[tuple[str, str, int], list[str]] = {}
        for name, person in sorted(people.items()):
            key = (person.role, person.department, person.level)
            self._at.setdefault(key, []).append(name)
        self.second = [n for n, p in sorted(people.items()) if p.level == 2 and _supervises(p)]
        self.duty = self._duty()

    def _duty(self) -> str:
        if self.ladder.duty in self.people:
            return self.ladder.duty
        heads = [n for n, p in sorted(self.people.items()) if p.level == 2 and p.role == "leader"]
        return next(iter([*self.second, *heads]), "")

    def of(self, notice: Notice) -> tuple[list[str], str]:
        """The persons who receive a notice, and why it is the duty officer ("" where it is not)."""
        if notice.assigned:
            if notice.assigned in self.people:
                return [notice.assigned], ""
            return self._orphan(PERSON_LEFT)
        special = self._special(notice)
        told = self._named(special.to if special else self._usual(notice), notice)
        told = [one for one in told if not _is_about(notice, one)]
        if told:
            return told, ""
        left = special is not None and not any(w in self.people for w in special.to)
        return self._orphan(PERSON_LEFT if left else NO_RECIPIENT)

    def supervisors(self, notice: Notice) -> list[str]:
        """The level-1 supervisors who answer for a notice."""
        if notice.assigned:
            return [notice.assigned]
        return self._at.get(("supervisor", notice.department or "", 1), [])

    def is_second(self, person: str) -> bool:
        """Does a person act for level 2."""
        known = self.people.get(person)
        return known is not None and known.level == 2

    def _orphan(self, why: str) -> tuple[list[str], str]:
        return ([self.duty], why) if self.duty else ([], f"{why}, {NO_DUTY}")

    def _usual(self, notice: Notice) -> tuple[str, ...]:
        if notice.level == 2:
            return self.ladder.recipients["level_2"]
        return self.ladder.recipients[TIERS[min(notice.tier, len(TIERS) - 1)]]

    def _special(self, notice: Notice) -> Special | None:
        """The most specific entry that fits, of equals the last."""
        best, most = None, -1
        for one in self.ladder.special:
            wanted = (
                (one.item, notice.item), (one.department, notice.department),
                (one.tier, notice.tier), (one.level, notice.level),
            )  # fmt: skip
            if any(want is not None and want != have for want, have in wanted):
                continue
            weight = sum(want is not None for want, _ in wanted)
            if weight >= most:
                best, most = one, weight
        return best

    def _named(self, words: Iterable[str], notice: Notice) -> list[str]:
        told: dict[str, None] = {}
        department = notice.department or ""
        for word in words:
            if word == "operator":
                some = [notice.operator or ""] if notice.operator in self.people else []
            elif word == "level_2":
                some = list(self.second)
            elif word in ("supervisor", "leader"):
                some = self._at.get((word, department, 1), [])
            else:
                some = [word] if word in self.people else []
            told |= dict.fromkeys(name for name in some if name)
        return list(told)


def _is_about(notice: Notice, person: str) -> bool:
    """Nobody is told to supervise himself."""
    return notice.subject_kind == "supervisor" and notice.subject == person


def _supervises(person: Person) -> bool:
    return person.role == "supervisor"
