"""What things are called on a page: rules, items, departments, persons, states, acts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from detector.engine import Engine
from detector.explain import sentences_of, short
from detector.rulekit import UNITS, Rule
from detector.values import date_of
from detector.web.pages.sentences import parts_of, places_of, retell
from detector.web.words import LANGUAGES, Words, based

_EDGE = re.compile(r"bands\.(\w+)\.edge", re.ASCII)
# An entry of a table, as settings write one (`x[a,b]`) and as tuning does (`x: a · b`).
_ENTRY = re.compile(r"(\w+)(?:\[|: )(.+?)\]?", re.ASCII)
_COUNTED = {"wd": "wd", "work_days": "wd", "h": "h"}  # units with a word of their own for amounts


class Names:
    """Names by code in one language; a code that nobody named is its own name."""

    def __init__(self, engine: Engine, lang: str, t: Words) -> None:
        self._district, self.lang, self.t = engine.district, lang, t
        self._rules: dict[str, Rule] = {c.rule.id: c.rule for c in engine.rulebook.rules}

    def rule(self, rule: str) -> str:
        """The offence's name."""
        held = self._rules.get(rule)
        return held.zh if held and self.lang == "zh" else begun(held.en) if held else rule

    def card(self, rule: str) -> Rule:
        """The card of a rule that is there."""
        return self._rules[rule]

    def basis(self, text: str) -> str:
        """What a rule or a learner rests on."""
        return based(text, self.lang)

    def item(self, code: str | None) -> str:
        """The power item's name."""
        held = self._district.catalogue.items.get(code or "")
        return held.name if held else code or "—"

    def step(self, item: str | None, code: str | None) -> str:
        """The step's name in its item's flow; else that of the action or duty that it is."""
        held = self._district.catalogue.items.get(item or "")
        steps = {one.code: one.name for one in held.steps} if held else {}
        if code in steps:
            return steps[code]
        told = self.word("action", code or "—")
        return told if told != code else self.word("duty", told)

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
            return rungs[tier].zh if self.lang == "zh" else begun(rungs[tier].en)
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

    def amount(self, value: float, unit: str, beside: float | None = None) -> str:
        """A number with its unit; fen as yuan, ‰ as percent. Two decimals, unless these would hide
        that it is not what stands beside it."""
        if unit == "fen":
            return self.t("amount.yuan", n=f"{value / 100:,.2f}")
        if unit == "permille":
            return f"{value / 10:,.10g} %"
        if unit == "share":
            return self.t("amount.share", n=f"{value * 100:,.10g}")
        n = float(short(value, beside))
        if unit in _COUNTED:
            one = ".one" if abs(n) == 1 else ""
            return self.t(f"amount.{_COUNTED[unit]}{one}", n=f"{n:,.10g}")
        return f"{n:,.10g} {self.unit(unit)}"

    def measured(self, finding: dict[str, Any]) -> str:
        """A finding's value and limit; "" where the value is no quantity."""
        value, limit, unit = finding["value"], finding["limit"], finding["unit"]
        if unit == "status":
            return ""
        if limit is None:
            return self.amount(value, unit)
        told, rule = self.amount(limit, unit, value), self._rules.get(finding["rule"])
        if rule is None or rule.clock is None:
            return self.t("value.of", value=self.amount(value, unit, limit), limit=told)
        key = "value.before" if value < 0 else "value.past" if value else "value.due"
        return self.t(key, value=self.amount(abs(value), unit), limit=told)

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
        return told[which](text) if which in told else self.word(f"model.{which}", text)

    def limit_short(self, keys: Sequence[str], key: Sequence[str]) -> str:
        """A learned limit's name in words, without the parts that stand for any."""
        some = [
            f"{self.t('model.key.channel')} {text}" if name == "channel" else text
            for name, text in self.limit(keys, key)
            if text not in ("—", self.t("model.any"))
        ]
        return " · ".join(some) or self.t("model.all")

    def day(self, day: int) -> str:
        """A local day, `2026-03-02`."""
        return date_of(day).isoformat()

    def written(self, rule: Rule) -> str:
        """A rule's sentence as its card has it."""
        return rule.sentence_zh if self.lang == "zh" else rule.sentence_en

    def template(self, rule: Rule) -> list[tuple[str, str]]:
        """A rule's sentence as (text, what stands behind it), the latter "" at the end."""
        told = parts_of(self.written(rule))
        parts = [(fixed, p.removesuffix("_zh").removesuffix("_en")) for fixed, p in told]
        return [(fixed, self.word("evidence", p).lower() if p else "") for fixed, p in parts]

    def setting(self, value: float, unit: str) -> str:
        """A parameter's value, which is written in the unit that its name says."""
        if unit == "yuan":
            return self.amount(value * 100, "fen")
        if unit == "‰":
            return self.amount(value, "permille")
        return f"{value:,}" if unit == "times" else self.amount(value, unit)

    def limit_of(self, rule: Rule, name: str) -> str:
        """A limit by the name that `rulebook.toml` knows it by, in words; else that name."""
        param = next((p for p in rule.params if p.name == name), None)
        if param is not None:
            return begun(self.basis(param.about))
        edge, entry = _EDGE.fullmatch(name), _ENTRY.fullmatch(name)
        band = next((b for b in rule.bands if edge and b.code == edge[1]), None)
        if band is not None:
            said = (band.zh if self.lang == "zh" else band.en) or self.t("rule.band.quiet")
            return self.t("rule.edge", band=said)
        if entry is None or rule.table is None:
            return name
        columns = [column for _, column in rule.table.keys]
        said = self.limit_short(columns, re.split(r",| · ", entry[2]))
        return self.t("rule.entry", of=said)

    def limits_of(self, rule: Rule, names: Sequence[str]) -> str:
        """Several of them."""
        return self.t("list.join").join(self.limit_of(rule, one) for one in names)

    def sentence(self, finding: dict[str, Any]) -> str:
        """Why a finding was raised, with names and yuan."""
        rule, told = self._rules.get(finding["rule"]), finding["sentence"][self.lang]
        if rule is None:
            return str(told)
        template = sentences_of(rule, finding["evidence"])[LANGUAGES.index(self.lang)]
        return retell(told, template, places_of(finding, rule, self))

    def remedy(self, finding: dict[str, Any]) -> str:
        """What would have cleared a finding that has an account."""
        rule, told = self._rules[finding["rule"]], finding["account"]["cleared_by"][self.lang]
        template = rule.remedy_zh if self.lang == "zh" else rule.remedy_en
        return retell(told, template + "{rest}", places_of(finding, rule, self))


def begun(text: str) -> str:
    """A label begins with a capital."""
    return text[:1].upper() + text[1:]
