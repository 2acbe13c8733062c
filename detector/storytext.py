"""An example's story in words: what was recorded, in which district, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detector.markdown import code, plain, spelled
from detector.rulekit import Example, Rule
from detector.verdict import TIERS

EVENTS_SHOWN_MAX = 8  # a longer story is told by its beginning and its end
VERDICTS = {
    "undetermined": "无法判定 undetermined",
    "muted": "静默 muted",
    "withdrawn": "撤销 withdrawn",
    "superseded": "替代 superseded",
}
_TIMES = ("recorded_at", "occurred_at", "received_at")


def story(example: Example) -> str:
    """The events in order, one a line of the cell."""
    many = len({told.get("case_id") for told in example.story}) > 1
    lines, day = [], ""
    for told in example.story:
        lines.append(_event(told, day, many))
        day = str(told.get("recorded_at", told.get("received_at", "")))[:10]
    cut = len(lines) - EVENTS_SHOWN_MAX
    if cut > 0:
        head = EVENTS_SHOWN_MAX - 2
        lines[head:-1] = [f"…（另 {cut + 1} 条 more）"]
    if example.until is not None:
        lines.append(f"— {plain(example.until)} 截止 the end")
    return "<br>".join(lines)


def _event(told: Mapping[str, Any], day: str, many: bool) -> str:
    """`09:00:58 step survey · operator B`; the day where it is another than `day`."""
    rest = dict(told)
    at = str(rest.pop("recorded_at", None) or rest.get("received_at", ""))
    if rest.get("occurred_at") == at or "kind" in told:
        rest.pop("occurred_at", None)
    if not many:
        rest.pop("case_id", None)
    if "recorded_at" not in told:
        rest.pop("received_at", None)
    action = str(rest.pop("action", rest.pop("kind", "")))
    step = rest.pop("step", None)
    what = code(f"{action} {step}" if step and step != action else action)
    when = at.removeprefix(f"{day} ") if day else at
    words = [f"{plain(when)} {what}"]
    for name, value in rest.items():
        if value is None:
            words.append(f"无 no {plain(name)}")
        elif name in _TIMES:
            words.append(f"{plain(name)} {plain(str(value))}")
        else:
            shown = value if isinstance(value, str) else spelled(value)
            words.append(f"{plain(name)} {plain(shown)}")
    return " · ".join(words)


def setting(example: Example, further: Mapping[str, Any]) -> str:
    """What is set otherwise than in the example district: item, parameters, and the like."""
    told = {"item": example.item, "params": example.params, **further}
    lines = []
    for where, values in told.items():
        if isinstance(values, Mapping):
            lines += [code(f"{where}.{name} = {_or_none(value)}") for name, value in values.items()]
        else:
            lines.append(code(f"{where} = {_or_none(values)}"))
    return "<br>".join(lines)


def _or_none(value: Any) -> str:
    return "—" if value is None or value == "" else spelled(value)


def verdict(rule: Rule, example: Example) -> str:
    """What must be found, in both languages."""
    kind, _, reason = example.want.partition(":")
    band = next((b for b in rule.bands if b.code == example.want), None)
    if band is not None:
        tier = "" if band.tier is None else f" {band.tier} {TIERS[band.tier]}"
        text = f"**{code(band.code)}**{tier}"
    elif example.want == "clear":
        text = "不算 clear"
    else:
        text = f"{VERDICTS.get(kind, plain(kind))} {code(reason) if reason else ''}".rstrip()
    return text if example.count == 1 else f"{text} × {example.count}"
