"""The schema of rulebook.toml: what a district may set of every rule on the shelf."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from detector.overrides import EDGE_MOST, ENTRY_MOST, MODES, NAMES, SHARE_MOST, TIERS
from detector.rulekit import UNITS, Band, Param, Rule
from detector.rulekit import Table as RuleTable
from detector.schema.parts import (
    DAY,
    Schema,
    choice,
    flag,
    number,
    ref,
    said,
    table,
    tables,
    text,
    whole,
)
from detector.shelf import BLAST_RADIUS, Shelved
from detector.trials import may_be_tried

WORDS = {"on": "启用", "shadow": "只记录不发通知", "off": "停用"}
ANY = "*"
_SCOPES = {"item": "事项", "department": "部门", "step": "环节"}


def rulebook_schema(shelf: Mapping[str, Shelved]) -> Schema:
    """The schema of one rulebook.toml, or of a what-if laid over one."""
    about = "Findings of a rule that was changed lately, a department and hour; more silence it."
    most = whole("变更防护上限", about, 1, ENTRY_MOST, default=BLAST_RADIUS)
    keys = {"rules": rules(shelf), "blast_radius_max": most}
    whole_file = table("规则手册", "Limits, modes and exemptions.", keys)
    return whole_file | {"$defs": parts()}


def rules(shelf: Mapping[str, Shelved]) -> Schema:
    """The table `rules`, one table a rule."""
    told = {rule_id: _rule(shelved.rule) for rule_id, shelved in sorted(shelf.items())}
    return table("各条规则", "What is set otherwise than the default.", told)


def parts() -> dict[str, Schema]:
    """What `rules` refers to, told once for all rules."""
    exemption = table("一项豁免", "One exemption.", _refs(_scope()), **_demands())
    return {**_scope(), "mode": _mode(), "exemption": exemption}


def _refs(names: Iterable[str]) -> dict[str, Schema]:
    return {name: ref(name) for name in names}


def _rule(rule: Rule) -> Schema:
    params = {p.name: _param(rule, p) for p in rule.params}
    bands = {b.code: _band(rule, n) for n, b in enumerate(rule.bands)}
    varied = {
        **_refs(["mode"]),
        **params,
        "bands": table("分级", "The bands' edges and tiers.", bands),
    }
    listed = {rule.table.name: _table(rule, rule.table)} if rule.table else {}
    others = {
        "exempt": tables("豁免", "Findings that may not speak.", ref("exemption")),
        "override": tables("另行规定", "Other settings for some cases.", _override(varied)),
    }
    if may_be_tried(rule):
        others["trial"] = _trial({k: s for k, s in {**varied, **listed}.items() if k != "mode"})
    blocks = {"blocking": _blocking(rule)} if rule.may_block else {}
    return table(rule.zh, f"{rule.en}. {rule.basis}", {**varied, **blocks, **listed, **others})


def _mode() -> Schema:
    return choice("启用方式", "How it runs:", {mode: WORDS[mode] for mode in MODES}, default="on")


def _blocking(rule: Rule) -> Schema:
    about = "Whether POST /gate says no to an event that would break it."
    return flag("事前拦截", about, rule.blocking)


def _param(rule: Rule, param: Param) -> Schema:
    unit = UNITS[param.unit][1] if param.unit in UNITS else param.unit
    zh = f"{rule.zh} {param.name}（{unit}）"
    return whole(zh, param.about, param.least, param.most, default=param.default)


def _band(rule: Rule, place: int) -> Schema:
    """The first band has no edge, and only one that has a reason may be given a tier."""
    band, unit = rule.bands[place], UNITS[rule.unit]
    keys = _edge(band, f"{unit[1]} {unit[2]}") if place else {}
    if band.zh:
        default = "none" if band.tier is None else band.tier
        keys["tier"] = choice("级别", 'A tier, or "none".', TIERS, default=default)
    return table(band.zh or f"分段 {band.code}", band.en or "Raises nothing.", keys)


def _edge(band: Band, unit: str) -> dict[str, Schema]:
    bound = {"exclusiveMinimum": -EDGE_MOST, "exclusiveMaximum": EDGE_MOST}
    most = {"minimum": 0, "maximum": SHARE_MOST}
    return {
        "edge": number(f"起点（{unit}）", "Where it begins.", default=band.edge, **bound),
        "share": number("限值的倍数", "Of the limit, from which the edge counts.", **most),
        "exclusive": flag("不含起点", "Whether it begins above its edge.", band.exclusive),
    }


def _table(rule: Rule, kept: RuleTable) -> Schema:
    keys = {
        name: text(f"{name}（{ANY} 为任意）", f"Compared with {column}.", default=ANY)
        for name, column in kept.keys
    }
    default = next(p for p in rule.params if p.name == kept.default)
    about = default.about or kept.default
    keys[kept.value] = whole(
        f"{rule.zh} {kept.value}", f"Instead of {default.name}: {about}", 0, ENTRY_MOST
    )
    return tables(
        f"限值表 {kept.name}",
        "Replaces the default list. The most specific entry wins, then the last.",
        table("一行", "One entry.", keys, [kept.value]),
        default=[dict(entry) for entry in kept.entries],
    )


def _scope() -> dict[str, Schema]:
    return {
        **{n: text(_SCOPES[n], f"Code of the {n}; * is any.", default=ANY) for n in NAMES},
        "until": said("截止日期", "The last day.", {"type": "string", "pattern": DAY}),
        "reason": text("理由", "Why."),
        "approved_by": text("批准人", "Who approved it."),
    }


def _demands() -> Schema:
    """Why and by whom; and some cases must be named, for a setting for all is none."""
    named = [{"required": [n], "properties": {n: {"not": {"const": ANY}}}} for n in NAMES]
    return {"required": ["reason", "approved_by"], "anyOf": named}


def _override(varied: Mapping[str, Schema]) -> Schema:
    sets = [{"anyOf": [{"required": [key]} for key in varied]}]
    return table("一项", "One override.", {**_refs(_scope()), **varied}, allOf=sets, **_demands())


def _trial(sets: Mapping[str, Schema]) -> Schema:
    """What is tried of a rule: at least one of its settings, why and by whom."""
    about = "Judged beside the rule in force; what it finds is muted shadow."
    notes = {
        "since": text("起始时刻", "The instant since when, with an offset from UTC."),
        **_refs(["reason", "approved_by"]),
    }
    some = [{"anyOf": [{"required": [key]} for key in sets]}]
    needs = ["reason", "approved_by"]
    return table("试行限值", about, {**sets, **notes}, needs, allOf=some)
