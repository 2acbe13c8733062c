"""Summaries, findings and rule cards on a terminal. Chinese first, English beside it."""

from __future__ import annotations

from typing import Any

import msgspec
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from detector.event import Refusal
from detector.rulekit import UNITS
from detector.shelf import Configured, Shelved
from detector.verdict import TIERS, Finding

_COLOURS = ("cyan", "yellow", "dark_orange", "red", "red")
REFUSALS_SHOWN = 10


def show_findings(lines: list[bytes], most: int) -> None:
    """The newest findings that stand, the gravest first."""
    told = [msgspec.json.decode(line, type=Finding) for line in lines]
    standing = sorted((f for f in told if f.stands), key=lambda f: (-f.tier, f.at), reverse=False)
    table = Table(title=f"发现 findings: {len(standing):,}", box=SIMPLE, expand=True)
    for name, options in (
        ("级别 tier", {"no_wrap": True}), ("规则 rule", {"no_wrap": True}),
        ("时间 at", {"no_wrap": True}), ("说明 why", {"overflow": "fold"}),
    ):  # fmt: skip
        table.add_column(name, **options)
    for f in standing[:most]:
        tier = f"[{_COLOURS[f.tier]}]{TIERS[f.tier]}[/]"
        table.add_row(tier, f.rule, f.at[:19].replace("T", " "), escape(f.sentence.zh))
    console = Console()
    console.print(table)
    if len(standing) > most:
        console.print(f"… {len(standing) - most:,} 条未列出 more, in findings.ndjson")


def show_summary(summary: dict[str, Any], refusals: list[Refusal]) -> None:
    """Counts by rule, what could not be judged and why, what was refused."""
    console = Console()
    table = Table(title="规则 by rule", box=SIMPLE)
    table.add_column("规则\nrule", no_wrap=True)
    for name in (
        "成立\nstand",
        "办件\ncases",
        "静默\nmuted",
        "撤销\nwithdrawn",
        "替代\nsuperseded",
    ):
        table.add_column(name, justify="right", no_wrap=True)
    groups = (
        "by_rule",
        "cases_by_rule",
        "muted_by_rule",
        "withdrawn_by_rule",
        "superseded_by_rule",
    )
    unknown = summary["undetermined_reasons"]
    for rule in sorted(set().union(*(summary[g] for g in groups), unknown)):
        table.add_row(rule, *(f"{summary[g].get(rule, 0):,}" for g in groups))
    console.print(table)
    for rule, reasons in unknown.items():
        why = ", ".join(f"{reason} {n:,}" for reason, n in reasons.items())
        console.print(f"无法判定 undetermined  {rule}: {why}", highlight=False, markup=False)
    for rule, reasons in summary["muted_reasons"].items():
        why = ", ".join(f"{reason} {n:,}" for reason, n in reasons.items())
        console.print(f"静默 muted  {rule}: {why}", highlight=False, markup=False)
    for flood in summary.get("floods", ()):
        where = f"{flood['department']} {flood['hour']}: {flood['findings']:,}"
        console.print(
            f"超出变更防护 flood  {flood['rule']}  {where}", highlight=False, markup=False
        )
    console.print(
        f"{summary['events']:,} 事件 events · {summary['cases']:,} 办件 cases"
        f" · {summary['findings']:,} 发现 findings"
        f" · {summary['duplicates']:,} 重复 duplicates · {summary['refused']:,} 拒收 refused"
        f" · {summary['seconds']} s",
        highlight=False,
    )
    for r in refusals[:REFUSALS_SHOWN]:
        console.print(f"  {r.file}:{r.line}: {r.field}: {r.error}", highlight=False, markup=False)
    console.print(f"digest {summary['digest']}", highlight=False)


def card(configured: Configured, shelved: Shelved) -> dict[str, Any]:
    """A rule as data: what it is, how this district has set it, where it comes from."""
    rule = configured.rule
    return {
        "id": rule.id, "zh": rule.zh, "en": rule.en, "family": rule.family, "subject": rule.subject,
        "edition": rule.edition, "mode": configured.mode, "unit": UNITS[rule.unit][2],
        "basis": rule.basis, "sha256": shelved.sha256, "prose": shelved.prose,
        "bands": [
            {
                "code": b.code, "from": None if b.edge == -float("inf") else b.edge,
                "above": b.exclusive, "tier": b.tier, "zh": b.zh, "en": b.en,
            }
            for b in rule.bands
        ],
        "parameters": [
            {"name": p.name, "value": vars(configured.params)[p.name], "unit": p.unit}
            | {"about": p.about}
            for p in rule.params
        ],
        "table": list(configured.entries),
        "mutes": list(rule.mutes),
        "exemptions": [
            {"item": x.item, "department": x.department, "step": x.step}
            | {"until": str(x.until), "reason": x.reason}
            for x in configured.exemptions
        ],
        "sentence": {"zh": rule.sentence_zh, "en": rule.sentence_en},
        "examples": [{"title": e.title, "want": e.want} for e in rule.examples],
    }  # fmt: skip


def show_rules(cards: list[dict[str, Any]]) -> None:
    """Every rule on one screen."""
    table = Table(box=SIMPLE)
    for name in ("id", "名称 offence", "family", "subject", "级别 tiers", "mode", "examples"):
        table.add_column(name, no_wrap=name == "id")
    for c in cards:
        tiers = ", ".join(str(b["tier"]) for b in c["bands"] if b["tier"] is not None)
        table.add_row(
            c["id"],
            f"{c['zh']} {c['en']}",
            c["family"],
            c["subject"],
            tiers,
            c["mode"],
            str(len(c["examples"])),
        )
    Console().print(table)


def show_rule(c: dict[str, Any]) -> None:
    """One rule's card."""
    console = Console()
    console.print(
        Panel(
            f"[b]{c['zh']}[/b] {c['en']}  ({c['id']}, edition {c['edition']}, {c['mode']})",
            subtitle=escape(c["basis"]),
        )
    )
    console.print(c["prose"], markup=False, highlight=False)
    bands = Table(title=f"bands, in {c['unit']}", box=SIMPLE)
    for name in ("code", "from", "tier", "理由", "reason"):
        bands.add_column(name)
    for b in c["bands"]:
        edge = "−∞" if b["from"] is None else f"{'> ' if b['above'] else '≥ '}{b['from']:g}"
        bands.add_row(
            b["code"], edge, "" if b["tier"] is None else TIERS[b["tier"]], b["zh"], b["en"]
        )
    console.print(bands)
    for p in c["parameters"]:
        console.print(f"{p['name']} = {p['value']} {p['unit']}: {p['about']}", markup=False)
    for entry in c["table"]:
        console.print(f"  {entry}", markup=False)
    if c["mutes"]:
        console.print(f"静默 muted for: {', '.join(c['mutes'])}", markup=False)
    for x in c["exemptions"]:
        console.print(f"豁免 exempt: {x}", markup=False)
    console.print(c["sentence"]["zh"], markup=False)
    console.print(c["sentence"]["en"], markup=False)
    for e in c["examples"]:
        console.print(f"  {e['want']:<28} {e['title']}", markup=False)
    console.print(f"sha256 {c['sha256']}", markup=False)
    if "precision" in c:
        console.print(_precise("准确率 precision", c["precision"]), markup=False)
        for one in c["precision_by"]:
            place = f"{one['item'] or '—'} · {one['department'] or '—'}"
            console.print(f"  {_precise(place, one)}", markup=False)


def _precise(name: str, told: dict[str, Any]) -> str:
    """A precision on one line; before the first verdict it is none, and not 0 %."""
    if told["share_permille"] is None:
        return f"{name}: 尚无核实 no verdict yet"
    share, low, high = (told[f"share_permille{end}"] / 10 for end in ("", "_min", "_max"))
    return (
        f"{name}: {share:g} % ({low:g}–{high:g} %), {told['confirmed']} confirmed,"
        f" {told['false_alarm']} false alarms, {told['justified']} justified"
    )
