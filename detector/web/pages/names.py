"""What things are called on a page: rules, items, departments, persons, states, acts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from detector.engine import Engine
from detector.explain import sentences_of
from detector.rulekit import UNITS, Rule
from detector.values import date_of
from detector.web.pages.sentences import places_of, retell
from detector.web.words import LANGUAGES, Words, based


class Names:
    """Names by code in one language; a code that nobody named is its own name."""

    def __init__(self, engine: Engine, lang: str, t: Words) -> None:
        self._district, self.lang, self.t = engine.district, lang, t
        self._rules: dict[str, Rule] = {c.rule.id: c.rule for c in engine.rulebook.rules}

    def rule(self, rule: str) -> str:
        """The offence's name."""
        held = self._rules.get(rule)
        return held.zh if held and self.lang == "zh" else _begun(held.en) if held else rule

    def basis(self, text: str) -> str:
        """What a rule or a learner rests on."""
        return based(text, self.lang)

    def item(self, code: str | None) -> str:
        """The power item's name."""
        held = self._district.catalogue.items.get(code or "")
        return held.name if held else code or "—"

    def step(self, item: str | None, code: str | None) -> str:
        """The step's name in its item's flow; of an action that is no step the action's."""
        held = self._district.catalogue.items.get(item or "")
        steps = {one.code: one.name for one in held.steps} if held else {}
        return steps.get(code or "") or self.word("action", code or "—")

    def department(self, code: str | None) -> str:
        """The department's name."""
        return self._district.departments.get(code or "", code or self.t("department.none"))

    def person(self, person: str | None) -> str:
        """The person's name behind the id."""
        held = self._district.people.get(person or "")
        return f"{held.name} {person}" if held and held.name != person else person or "—"

    def phone(self, person: str, whole: bool) -> str:
        """A phone number, whole or with its middle hidden."""
        held = self._district.people.get(person)
        number = held.phone if held else ""
        return number if whole or len(number) < 7 else f"{number[:3]}****{number[-4:]}"

    def tier(self, tier: int) -> str:
        """The tier's name on the region's ladder."""
        rungs = {one.tier: one for one in self._district.ladder.tiers}
        if tier in rungs:
            return rungs[tier].zh if self.lang == "zh" else _begun(rungs[tier].en)
        return self.t(f"tier.{tier}")

    def word(self, kind: str, code: str) -> str:
        """A code of a kind in words (`procedure`, `result`, `duty`); itself where it has none."""
        try:
            return self.t(f"{kind}.{code}")
        except KeyError:
            return code

    def state(self, state: str) -> str:
        """A notice's state."""
        return self.t(f"state.{state}")

    def unit(self, unit: str) -> str:
        """The unit of a finding's value."""
        told = UNITS.get(unit)
        return str(told[1 if self.lang == "zh" else 2]) if told else unit

    def amount(self, value: float, unit: str) -> str:
        """A number with its unit; fen as yuan."""
        if unit == "fen":
            return self.t("amount.yuan", n=f"{value / 100:,.2f}")
        return f"{value:,.10g} {self.unit(unit)}"

    def subject(self, kind: str) -> str:
        """What a notice or finding is about."""
        return self.t(f"subject.{kind}")

    def called(self, kind: str, subject: str) -> str:
        """What a subject is called: a person and a department by name, else its number."""
        told = {"operator": self.person, "supervisor": self.person, "department": self.department}
        return told[kind](subject) if kind in told else subject

    def action(self, action: str) -> str:
        """An event's action."""
        return self.t(f"action.{action}")

    def reason(self, code: str) -> str:
        """Why a notice moved, a finding is muted or was withdrawn; its code where nobody named
        it."""
        try:
            return self.t(f"reason.{code.partition(':')[0]}")
        except KeyError:
            return code

    def message(self, code: str) -> str:
        """Why a message was not sent at once; its code where nobody named it."""
        try:
            return self.t(f"message.why.{code.partition(':')[0]}")
        except KeyError:
            return code

    def actor(self, actor: str) -> str:
        """Who acted: the engine, or somebody by name."""
        return self.t("actor.oriole") if actor == "oriole" else self.person(actor)

    def learns(self, learner: str, prose: str) -> str:
        """What a learner learns, in plain words; of one that nobody has put into words what its
        file says."""
        try:
            return self.t(f"model.learns.{learner}")
        except KeyError:
            return " ".join(prose.partition("\n\n")[0].split())

    def limit(self, keys: Sequence[str], key: Sequence[str]) -> list[tuple[str, str]]:
        """The parts of a learned limit's name: (which, in words)."""
        parts = dict(zip(keys, key, strict=False))
        return [(n, self._part(n, text, parts.get("item", ""))) for n, text in parts.items()]

    def _part(self, which: str, text: str, item: str) -> str:
        if text in ("", "*"):
            return self.t("model.any") if text else "—"
        if which in ("step", "previous_step"):
            return self.step(item, text)
        told = {"item": self.item, "department": self.department, "operator": self.person}
        return told[which](text) if which in told else text

    def limit_short(self, keys: Sequence[str], key: Sequence[str]) -> str:
        """A learned limit's name in words, without the parts that stand for any."""
        some = [text for n, text in self.limit(keys, key) if text not in ("—", self.t("model.any"))]
        return " · ".join(some) or self.t("model.all")

    def day(self, day: int) -> str:
        """A local day, `2026-03-02`."""
        return date_of(day).isoformat()

    def sentence(self, finding: dict[str, Any]) -> str:
        """Why a finding was raised, with names and yuan."""
        rule, told = self._rules.get(finding["rule"]), finding["sentence"][self.lang]
        if rule is None:
            return str(told)
        template = sentences_of(rule, finding["evidence"])[LANGUAGES.index(self.lang)]
        return retell(told, template, places_of(finding, rule, self))


def _begun(text: str) -> str:
    """A label begins with a capital."""
    return text[:1].upper() + text[1:]
