"""The learners of a district: cards, parameters, floors and caps, from shelf and district.toml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from detector.district import DISTRICT, District
from detector.learning.epochs import Guard
from detector.learning.shelf import ShelvedLearner
from detector.learnkit import Learner
from detector.tomlfile import DistrictError, Problem

BOUNDS = ("floor", "cap")


@dataclass(frozen=True)
class InForce:
    """The learners that a district has switched on, by id."""

    learners: Mapping[str, Learner]
    params: Mapping[str, Mapping[str, int]]
    guards: Mapping[str, Guard]
    alerts_per_1000_cases_max: int
    prose: Mapping[str, str] = field(default_factory=dict)  # what each file says of itself


def set_up(shelf: Mapping[str, ShelvedLearner], district: District) -> InForce | None:
    """The learners of a district, None where it does not learn. Raises `DistrictError`."""
    settings = district.learning
    if not settings.on:  # then no shelf need be at hand
        return None
    check(shelf, district)
    learners, params, guards = {}, {}, {}
    for name, shelved in sorted(shelf.items()):
        card, told = shelved.learner, settings.learners.get(name, {})
        if told.get("on") == 0:
            continue
        learners[name] = card
        params[name] = {p.name: told.get(p.name, p.default) for p in card.params}
        floor, cap = told.get("floor", card.floor), told.get("cap", card.cap)
        guards[name] = Guard(
            floor,
            cap,
            settings.step_permille,
            settings.total_permille,
            settings.of_age_records,
            card.told_only,
            card.monthly,
        )
    prose = {name: shelf[name].prose for name in learners}
    return InForce(learners, params, guards, settings.alerts_per_1000_cases_max, prose)


def check(shelf: Mapping[str, ShelvedLearner], district: District) -> None:
    """Raise `DistrictError` with all that a district sets of learners and cannot set, whether they
    are on or not."""
    problems = _faults(shelf, district.learning.learners)
    if problems:
        raise DistrictError(problems)


def _faults(
    shelf: Mapping[str, ShelvedLearner], told: Mapping[str, Mapping[str, int]]
) -> list[Problem]:
    problems = []
    for name, values in told.items():
        key = f"learning.learners.{name}"
        if name not in shelf:
            known = ", ".join(sorted(shelf))
            problems.append(Problem(DISTRICT, key, "is no learner", remedy=f"known: {known}"))
            continue
        card = shelf[name].learner
        bounds = {p.name: (p.least, p.most) for p in card.params} | {"on": (0, 1)}
        bounds |= dict.fromkeys(BOUNDS, (card.floor, card.cap))
        for param, value in values.items():
            least, most = bounds.get(param, (0, -1))
            if param not in bounds:
                known = ", ".join(sorted(bounds))
                reason, remedy = "is no parameter of it", f"known: {known}"
            elif not least <= value <= most:
                reason, remedy = "is out of bounds", f"from {least} to {most}"
            else:
                continue
            problems.append(Problem(DISTRICT, f"{key}.{param}", reason, remedy=remedy))
        if values.get("floor", card.floor) > values.get("cap", card.cap):
            problems.append(Problem(DISTRICT, f"{key}.floor", "lies above its cap"))
    return problems
