"""The county's items as slots: which events a case of each item may have, and who types them."""

from __future__ import annotations

import numpy as np

from detector.catalogue import STATUSES, Item
from detector.district import District
from detector.event import ACTION
from detector.simulate.flow import Flow

ALWAYS, APPLY, PREACCEPT, RETURN, CORRECTION, SUSPENSION, AFTERTHOUGHT, DELIVERY = range(8)
SECOND, NEVER = 8, 9  # suspension of a case
PROBABILITY = np.array([1, 0.35, 0.2, 0.015, 0.05, 0.06, 0, 0.3, 0, 0])  # of each group of slots
ACCEPT_SLOT = 6  # after apply, preaccept, return, apply, correct, corrected
SYSTEM, NOBODY = -1, -1  # no role, no operator
ACCEPT, SURVEY, REVIEW, DECIDE = range(1, 5)  # of a duty
ROLES = {"accept": 0, "survey": 1, "review": 2, "decide": 3}  # by a step's duty
GRANTED_DAYS = 5  # of a suspension
SLOT_S = 200  # an operator types at most one record in so many seconds of working time
BUSY = 0.5  # share of those that are taken
EXEMPT = "D07"  # its network lets one account accept and review: examples/county/rulebook.toml
_DUTIES = ("", "accept", "survey", "review", "decide")
WEIGHT = {  # how often an item is applied for; others: 3
    "elderly_card": 14, "food_permit": 14, "title_confirmation": 14, "refuse_levy": 10,
    "living_allowance": 8, "safety_inspection": 8, "road_permit": 8, "permit": 6, "eia_permit": 5,
    "fine_environment": 4, "fine_safety": 4, "project_filing": 1.5, "courage_award": 1,
    "land_ruling": 1, "pesticide_permit": 0.2, "stall_permit": 0.2,
}  # fmt: skip


class Plan:
    """Slots of every item that has a flow, as arrays (item, slot), and the people who work them."""

    def __init__(self, district: District) -> None:
        self.district = district
        self.day_s = district.calendar.day_us // 1_000_000
        self.items = [i for i in district.catalogue.items.values() if _usable(i)]
        told = [_slots(item) for item in self.items]
        most = max(map(len, told))
        told = [[*t, *[("close", "", 0, NEVER)] * (most - len(t))] for t in told]
        self.steps = sorted({step for t in told for _, step, _, _ in t})  # "" comes first
        self.action = np.array([[ACTION[a] for a, _, _, _ in t] for t in told], np.int8)
        self.step = np.array([[self.steps.index(s) for _, s, _, _ in t] for t in told], np.int8)
        self.role = np.array([[r for _, _, r, _ in t] for t in told], np.int8)
        self.group = np.array([[g for _, _, _, g in t] for t in told])
        self.flow = Flow(self.items, told)
        self.promised_days = np.array([i.promised_days for i in self.items])
        self.on_the_spot = np.array([i.kind == "on_the_spot" for i in self.items])
        self.fee_fen = np.array([i.fee_fen or 0 for i in self.items])
        self.free = np.array([i.fee_fen == 0 for i in self.items])
        self.status = np.array([STATUSES.index(i.status) for i in self.items])
        self.floor_s = np.full(self.action.shape, 1_200)
        self.floor_s[:, : ACCEPT_SLOT + 1] = 1_800
        self.floor_s[:, ACCEPT_SLOT + 1] = 2_400  # a survey takes its half hour
        self.floor_s[self.on_the_spot] = 360
        self.usual_s = self._usual()
        steps = [(a == "accept", s == "survey", a) for t in told for a, s, _, _ in t]
        shape = self.action.shape
        self.is_accept = np.array([a for a, _, _ in steps]).reshape(shape)
        self.is_survey = np.array([s for _, s, _ in steps]).reshape(shape)
        duty = [{step.code: step.duty for step in item.steps} for item in self.items]
        self.duty = np.array(
            [[_DUTIES.index(d.get(s or a, "")) for a, s, _, _ in t]
             for d, t in zip(duty, told, strict=True)]
        )  # fmt: skip
        codes = [i.code for i in self.items]
        self.statutory_days = np.array([i.statutory_days or 0 for i in self.items])
        self.declares_imports = np.array([i.type == "07" for i in self.items])
        self.exempt = np.array([owner == EXEMPT for owner in _owners(self.items, district)])
        self.pays = np.array([(i.fee_fen or 0) > 0 for i in self.items]) & (
            self.action == ACTION["pay"]
        ).any(axis=1)
        self.codes = codes
        weight = np.array([WEIGHT.get(i.code, 3) for i in self.items], float)
        self.weight = weight / weight.sum()
        chance = PROBABILITY[self.group]
        self.events_a_case = float((self.weight[:, None] * chance).sum())
        self._typed = self.weight * (chance * (self.role != SYSTEM)).sum(axis=1)
        owner = _owners(self.items, district)
        self.departments = sorted(set(owner))
        self.department = np.array([self.departments.index(d) for d in owner], np.int8)
        self.people: list[str] = []

    def _usual(self) -> np.ndarray:
        """Working seconds within which each slot is done: half of a step's limit, and so soon
        elsewhere that the next step has time enough."""
        usual = np.where(self.flow.limit_s > 0, self.flow.limit_s // 2, 3_600)
        usual[self.action == ACTION["close"]] = 7_200
        usual[self.on_the_spot] = 1_800
        return usual

    def hire(self, cases: int, span_s: int) -> None:
        """People enough to type so many cases in `span_s` working seconds: at least four a
        department, the district's own first."""
        load = np.bincount(self.department, self._typed * cases, len(self.departments))
        self._staff = np.maximum(4, np.ceil(load / (span_s / SLOT_S * BUSY)).astype(int))
        self._begin = np.concatenate([[0], np.cumsum(self._staff)[:-1]])
        self.people = []
        for department, wanted in zip(self.departments, self._staff.tolist(), strict=True):
            own = [
                p.person
                for p in self.district.people.values()
                if p.department == department and p.role == "operator"
            ]
            more = [f"P{department[1:]}{n}" for n in range(100, 100 + wanted)]
            self.people += [*own, *more][:wanted]

    def lend(self, operator: int) -> int:
        """A colleague from elsewhere, for one case: an account of its own."""
        self.people.append(f"{self.people[operator]}L{len(self.people)}")
        return len(self.people) - 1

    def crew(self, item: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Four different people of the department for each case: (cases, roles)."""
        department = self.department[item]
        staff = self._staff[department]
        first = rng.integers(0, staff)
        quarter = staff // 4
        crew = np.empty((len(item), 4), np.int64)
        for role in range(4):
            ahead = role * quarter + (rng.integers(0, quarter) if role else 0)
            crew[:, role] = (first + ahead) % staff
        return crew + self._begin[department][:, None]


def _usable(item: Item) -> bool:
    return bool(item.promised_days and item.steps) and item.steps[0].code == "accept"


def _slots(item: Item) -> list[tuple[str, str, int, int]]:
    """(action, step, role, group) of all that may happen to a case of this item, in order."""
    slots = [
        ("apply", "", 0, APPLY), ("preaccept", "", SYSTEM, PREACCEPT),
        ("return", "", 0, RETURN), ("apply", "", 0, RETURN),
        ("correct", "", 0, CORRECTION), ("corrected", "", 0, CORRECTION),
    ]  # fmt: skip
    long = (item.promised_days or 0) >= 5
    for step in item.steps:
        own = step.code in ACTION
        role = SYSTEM if step.code == "pay" else ROLES.get(step.duty, 0)
        if step.duty == "decide":
            slots += [(a, "", 0, AFTERTHOUGHT) for a in ("correct", "corrected")]
        slots.append((step.code if own else "step", "" if own else step.code, role, ALWAYS))
        if step.duty == "survey" and long:
            slots += [(a, "", 2, g) for g in (SUSPENSION, SECOND) for a in ("suspend", "resume")]
    if all(step.code != "deliver" for step in item.steps):
        slots.append(("deliver", "", 0, DELIVERY))
    return [*slots, ("close", "", 0, ALWAYS)]


def _owners(items: list[Item], district: District) -> list[str]:
    """The department of each item: a catalogue does not say, so items go round by a fixed list."""
    departments = sorted({p.department for p in district.people.values()})
    known = {
        "permit": "D01", "fine_safety": "D01", "safety_inspection": "D01", "food_permit": "D02",
        "seal_order": "D02", "eia_permit": "D03", "fine_environment": "D03", "road_permit": "D04",
        "refuse_levy": "D04", "living_allowance": "D05", "elderly_card": "D05",
        "courage_award": "D05", "land_ruling": "D06", "title_confirmation": "D07",
        "pesticide_permit": "D06", "project_filing": "D08", "stall_permit": "D04",
    }  # fmt: skip
    return [known.get(i.code, departments[n % len(departments)]) for n, i in enumerate(items)]
