"""One page a rule, written from its file: what it finds, how, on what ground, and what shows it.

Nothing is told that the rule file does not say; a field that a later kit adds is listed as it is.
"""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields
from string import ascii_uppercase
from typing import Any

from detector.markdown import code, facts, plain, prose, spelled, table
from detector.rulekit import (
    LEARNED_TIER_MOST,
    NEVER_BELOW,
    ORDINARY_EVIDENCE,
    UNITS,
    Band,
    Rule,
)
from detector.shelf import Shelved
from detector.storytext import setting, story, verdict
from detector.subjects import ORDINARY
from detector.verdict import TIERS

INDEX = "README.md"
SETTING_CHARS_MAX = 60  # a longer one is told once where examples share it
MARK = "<!-- Written by `oriole rules docs` from the rule files: edit those. 由规则文件生成。 -->"
FAMILIES = {
    "timeliness": "时效",
    "truth": "真实性",
    "process": "流程",
    "content": "内容 裁量 收费",
    "supervision": "层级监察",
}
SUBJECTS = {
    "case": "办件", "operator": "经办人", "department": "部门", "supervisor": "监察员",
    "complaint": "投诉", "consultation": "咨询", "source": "数据来源",
}  # fmt: skip
PROSE = {"What": "内容", "Basis": "依据", "Unit": "单位", "Blind": "盲区"}
MUTES = {
    "imported": "申报的批量导入 a declared bulk import",
    "on_the_spot": "即办件 an item done on the spot",
    "one_stamp": "办结与受理同一时间戳 a close that bears the very stamp of the acceptance",
    "system_action": "系统自动办理 no operator, in a source that names operators",
    "justified": "有正当理由 justified, with a reason",
    "told": "同一记录已由另一规则提示 the rule that it repeats spoke of the same event",
    "overtime": "工作时间外录入，时间足够 typed outside office hours, with time enough",
}
_BLOCKS = f"事前查询不予放行 {code('POST /api/v1/gate')} says no"
# What the page tells in words of its own; any other field of a rule that is set is listed as it is.
_TOLD = frozenset(
    "id edition family zh en basis unit bands sentence_zh sentence_en examples subject actions per"
    " applies unknown measure clock value limit stamps mutes events cause evidence params table"
    " tuned ordinary blocking remedy_zh remedy_en".split()
)  # fmt: skip
_SECTION = re.compile(r"^(\S+) {2,}(?=\S)", re.MULTILINE)


def pages(shelf: Mapping[str, Shelved]) -> dict[str, str]:
    """Every page by its file name, the index among them."""
    told = {f"{rule_id}.md": page(shelved) for rule_id, shelved in sorted(shelf.items())}
    return told | {INDEX: index(shelf)}


def index(shelf: Mapping[str, Shelved]) -> str:
    """The rules by family, each with its unit and tiers."""
    lines = [MARK, "# 规则 Rules", ""]
    lines += [
        "每条规则一页：如何度量、如何分级、有何依据，哪些情形算、哪些情形不算。确切含义见"
        "[判定规则](../judging.md)。",
        "",
        "One page a rule: how it measures, how it judges, on what ground, what is found and what is"
        " not. The exact meaning of every verdict is in [judging.md](../judging.md).",
        "",
    ]
    rules = [shelved.rule for _, shelved in sorted(shelf.items())]
    families = [*FAMILIES, *sorted({r.family for r in rules} - FAMILIES.keys())]
    for family in families:
        rows = [_row(rule) for rule in rules if rule.family == family]
        if rows:
            lines += [f"## {_named(FAMILIES, family)}", ""]
            head = (
                "规则 rule",
                "问题 offence",
                "对象 subject",
                "单位 unit",
                "级别 tiers",
                "示例 examples",
            )
            lines += table(head, rows)
    return _text(lines)


def _row(rule: Rule) -> tuple[str, ...]:
    tiers = sorted({b.tier for b in rule.bands if b.tier is not None})
    return (
        f"[{rule.id}]({rule.id}.md)",
        f"{plain(rule.zh)} {plain(rule.en)}",
        _named(SUBJECTS, rule.subject),
        _unit(rule.unit),
        ", ".join(f"{tier} {TIERS[tier]}" for tier in tiers),
        str(len(rule.examples)),
    )


def page(shelved: Shelved) -> str:
    """The page of one rule."""
    rule = shelved.rule
    lines = [MARK, f"# {plain(rule.zh)} {plain(rule.en)}", ""]
    lines += facts(
        [
            ("规则 rule", f"[{code(rule.id)}](../../rules/{rule.id}.py)"),
            ("版本 edition", str(rule.edition)),
            ("类别 family", _named(FAMILIES, rule.family)),
            ("对象 subject", _named(SUBJECTS, rule.subject)),
            ("单位 unit", _unit(rule.unit)),
            ("依据 basis", plain(rule.basis)),
        ]
    )
    for title, part in (
        ("说明 What it is", _prose(shelved.prose)),
        ("分级 Bands", _bands(rule)),
        ("如何判定 How it judges", facts(_judging(rule))),
        ("参数 Parameters", _params(rule)),
        ("静默 Muted for", [*(f"- {code(m)} {MUTES.get(m, '')}".rstrip() for m in rule.mutes), ""]),
        ("无法判定 Undetermined for", _unknown(rule)),
        ("文书 Sentences", _sentences(rule.sentence_zh, rule.sentence_en)),
        ("通常范围 What is ordinary", _ordinary(rule)),
        ("示例 Examples", _examples(rule)),
    ):
        if any(part):
            lines += [f"## {title}", "", *part]
    return _text(lines)


def _prose(text: str) -> list[str]:
    """The docstring: its first line, then its sections as a table."""
    head, *_ = text.partition("\n")
    parts = _SECTION.split(text.removeprefix(head).strip())
    rows = zip(parts[1::2], parts[2::2], strict=True)
    told = ((f"{PROSE[n]} {n}" if n in PROSE else plain(n), prose(part)) for n, part in rows)
    return [prose(head), "", *([prose(parts[0]), ""] if parts[0] else []), *facts(told)]


def _bands(rule: Rule) -> list[str]:
    further = _further_of(rule.bands, ("code", "edge", "tier", "exclusive", "zh", "en"))
    head = ("分段 band", f"自 from（{_unit(rule.unit)}）", "级别 tier")
    rows = []
    for band in rule.bands:
        tier = "— 不算 nothing" if band.tier is None else f"{band.tier} {TIERS[band.tier]}"
        why = f"{plain(band.zh)}<br>{plain(band.en)}" if band.zh or band.en else ""
        rest = (_value(getattr(band, name, None)) for name in further)
        rows.append((code(band.code), _edge(band), tier, *rest, why))
    return table((*head, *further, "理由 reason"), rows)


def _edge(band: Band) -> str:
    if band.edge == NEVER_BELOW:
        return "−∞"
    return f"{'>' if band.exclusive else '≥'} {band.edge:,g}".replace("-", "−")


def _judging(rule: Rule) -> Iterator[tuple[str, str]]:
    """What it concerns, measures and compares, as far as the file says it in words."""
    yield "适用动作 actions", _codes(rule.actions)
    yield "适用条件 applies", _said(rule.applies)
    if rule.per != "event":
        yield "逐 per", code(rule.per)
    yield "测值 measure", _said(rule.measure)
    if rule.clock is not None:
        told = {f.name: getattr(rule.clock, f.name) for f in fields(rule.clock)}
        given = {name: value for name, value in told.items() if value not in (None, "")}
        yield "时钟 clock", ", ".join(code(f"{n} = {spelled(v)}") for n, v in given.items())
    yield "展示值 shown", _said(rule.value)
    yield "限值 limit", _said(rule.limit)
    yield "须精确到时刻 finer than a day", _codes(rule.stamps)
    if rule.measure is not None and rule.subject == "case":  # the engine names the others' causes
        yield "成因 cause", _codes(rule.cause)
    yield "证据 evidence", _codes(rule.evidence)
    yield "可试算 can be tried out", _tuned(rule)
    yield "事前拦截 blocking", _BLOCKS if rule.blocking else ""
    remedies = (plain(told) for told in (rule.remedy_zh, rule.remedy_en) if told)
    yield "如何消除 what clears it", "<br>".join(remedies)
    for name, value in _further(rule, _TOLD).items():
        yield code(name), _value(value)


def _sentences(zh: str, en: str) -> list[str]:
    return ["> " + plain(zh), ">", "> " + plain(en), ""]


def _ordinary(rule: Rule) -> list[str]:
    """What a learner adds behind the rule's own judgement."""
    told = rule.ordinary
    if told is None:
        return []
    name = f"[{code(told.learner)}](../../models/{told.learner}.py)"
    return [
        f"学习器 {name} 已公布该月范围时，写在结论之后；在范围内的，级别不高于 {LEARNED_TIER_MOST}"
        f" 的仅记录不提醒（{code(ORDINARY)}）。未公布时，判定不变。",
        "",
        f"Where the learner {name} published a range for the month, it stands behind the finding;"
        f" what lies within it is recorded and muted ({code(ORDINARY)}), up to tier"
        f" {LEARNED_TIER_MOST}. Where it published none, nothing changes.",
        "",
        *_sentences(told.sentence_zh, told.sentence_en),
        "证据 evidence: " + _codes(ORDINARY_EVIDENCE),
        "",
    ]


def _tuned(rule: Rule) -> str:
    """The limit of the threshold explorer; a working day is the district's, so no numbers there."""
    tuned, size = rule.tuned, UNITS[rule.unit][0]
    if tuned is None:
        return ""
    side = "低于 below" if tuned.worse == "below" else "高于 above"
    if not size:
        return f"{code(tuned.setting)}: {side}"
    reach = f"{tuned.least / size:,.10g} … {tuned.most / size:,.10g} {_unit(rule.unit)}"
    return f"{code(tuned.setting)}: {side}, {reach}"


def _params(rule: Rule) -> list[str]:
    known = ("name", "default", "unit", "about", "least", "most")
    further = _further_of(rule.params, known)
    head = ("参数 key", "默认 default", "范围 bounds", "单位 unit", "含义 meaning", *further)
    rows = [
        (
            code(p.name), f"{p.default:,}", f"{p.least:,} … {p.most:,}",
            _unit(p.unit) if p.unit in UNITS else plain(p.unit), prose(p.about),
            *(_value(getattr(p, name, None)) for name in further),
        )
        for p in rule.params
    ]  # fmt: skip
    lines = table(head, rows)
    if rule.table is None:
        return lines
    t = rule.table
    default = code(t.default)
    lines += [
        f"限值表 Table {code(t.name)}：最具体的一行为准，同等取最后一行；{code('*')} 为任意；"
        f"都不符合时取 {default}。The most specific entry wins, then the last; {code('*')} is any;"
        f" where none fits, {default}.",
        "",
    ]
    names = [key for key, _ in t.keys]
    head = (*(code(n) for n in names), code(t.value))
    entries = [tuple(code(str(e.get(n, "*"))) for n in names) for e in t.entries]
    values = [f"{e[t.value]:,}" for e in t.entries]
    shown = [(*entry, value) for entry, value in zip(entries, values, strict=True)]
    return lines + table(head, shown or [(*(code("*") for _ in names), default)])


def _unknown(rule: Rule) -> list[str]:
    """Every reason that the file names: of its own, of its stamps, and those its examples show."""
    masks = dict(rule.unknown)
    kinds = (e.want.partition(":") for e in rule.examples)
    shown = [reason for kind, _, reason in kinds if kind == "undetermined"]
    reasons = [*masks, *(["date_only"] if rule.stamps else []), *shown]
    told = (f"- {code(reason)} {_said(masks.get(reason))}".rstrip() for reason in reasons)
    return [*dict.fromkeys(told), ""] if reasons else []


def _examples(rule: Rule) -> list[str]:
    """The stories as a table; a long setting that several share stands above it, by a letter."""
    known = ("title", "story", "want", "count", "item", "params", "until")
    settings = [setting(e, _further(e, known)) for e in rule.examples]
    shared = [s for s, n in Counter(settings).items() if n > 1 and len(s) > SETTING_CHARS_MAX]
    letters = {text: f"**{letter}**" for text, letter in zip(shared, ascii_uppercase, strict=False)}
    head = ("情形 case", "经过 story", "设置 setting", "结论 verdict")
    rows = [
        (plain(e.title), story(e), letters.get(told, told), verdict(rule, e))
        for e, told in zip(rule.examples, settings, strict=True)
    ]
    above = [f"- 设置 setting {letter}: {text}" for text, letter in letters.items()]
    return [*above, *([""] if above else []), *table(head, rows)]


# --- small words


def _named(names: Mapping[str, str], key: str) -> str:
    return f"{names[key]} {key}" if key in names else plain(key)


def _unit(unit: str) -> str:
    zh, en = UNITS[unit][1:3]
    return plain(zh) if zh == en else f"{plain(zh)} {plain(en)}"


def _codes(names: tuple[str, ...]) -> str:
    return ", ".join(map(code, names))


def _said(expression: Callable[..., Any] | None) -> str:
    """What an expression's docstring says of it; nothing for one that is written in place."""
    return prose(inspect.getdoc(expression) or "") if expression else ""


def _value(value: Any) -> str:
    if callable(value):
        return _said(value) or "—"
    return "" if value is None else code(spelled(value))


def _further(thing: Any, known: frozenset[str] | tuple[str, ...]) -> dict[str, Any]:
    """Fields beyond `known` that are not what they are by default."""
    told = {}
    for f in fields(thing):
        default = f.default_factory() if f.default_factory is not MISSING else f.default
        value = getattr(thing, f.name)
        if f.name not in known and (value is not default and value != default):
            told[f.name] = value
    return told


def _further_of(things: tuple[Any, ...], known: tuple[str, ...]) -> list[str]:
    """Names of further fields that any of the things sets."""
    return list(dict.fromkeys(name for thing in things for name in _further(thing, known)))


def _text(lines: list[str]) -> str:
    return "\n".join(lines).rstrip() + "\n"
