"""The schema of the files of a catalogue."""

from __future__ import annotations

from collections.abc import Iterable

from detector.catalogue import (
    BENCHMARKS_MAX,
    DUTIES_APART,
    KINDS,
    LIMIT_HOURS_MAX,
    PAIRS_MAX,
    STATUSES,
    STEPS_MAX,
    TYPES,
)
from detector.event import CODE_BYTES_MAX, DAYS_MAX, LIST_ITEMS_MAX
from detector.schema.parts import (
    TEXT,
    Schema,
    choice,
    flag,
    money,
    pair,
    said,
    table,
    tables,
    text,
    texts,
    whole,
)
from detector.tomlfile import TEXT_CHARS_MAX

WORDS = {
    "01": "许可", "02": "处罚", "03": "强制", "04": "征收", "05": "给付", "06": "检查",
    "07": "确认", "08": "奖励", "09": "裁决", "10": "其他", "20": "公共服务",
    "in_use": "在用", "dormant": "休眠", "abolished": "废止",
    "promised": "承诺件", "on_the_spot": "即办件",
}  # fmt: skip


def catalogue_schema() -> Schema:
    """The schema of one catalogue/*.toml."""
    items = tables("权力事项", "The items of this file.", _item())
    return table("行政权力事项目录", "Items with their limits, fees and flows.", {"items": items})


def _item() -> Schema:
    keys = {
        "code": _code("权力编码", "The item's code, unlike that of any other item."),
        "name": text("事项名称", "The item's name."),
        "type": choice("事项类型", "GB/T 39046—2020:", _meant(TYPES)),
        "status": choice("状态", "Whether it is exercised:", _meant(STATUSES), default="in_use"),
        "kind": choice("办件类型", "How it is worked:", _meant(KINDS), default="promised"),
        "promised_days": whole(
            "承诺期限（工作日）", "Working days promised, no more than the statutory.", 0, DAYS_MAX
        ),
        "statutory_days": whole("法定期限（工作日）", "Working days by law.", 0, DAYS_MAX),
        "fee_yuan": money("收费标准（元）", 'Yuan, at most two decimals; "0" where it is free.'),
        "steps": tables("流程", "The steps in order.", _step(), maxItems=STEPS_MAX),
        "benchmarks": tables(
            "裁量基准", "Ranges of fines by grade.", _benchmark(), maxItems=BENCHMARKS_MAX
        ),
        "incompatible": table(
            "不相容岗位", "Duties that one person may not hold in one case.", {"pairs": _pairs()}
        ),
    }
    return table("权力事项", "One item of the catalogue.", keys, ["code", "name", "type"])


def _step() -> Schema:
    keys = {
        "code": _code("环节代码", "Matches an event's step, or its action where it has none."),
        "name": text("环节名称", "The step's name; default its code."),
        "duty": text(
            "岗位职责", "What it makes its operator responsible for; accept, review, decide, …"
        ),
        "required": flag("必经环节", "Whether every case must go through it.", False),
        "limit_hours": said(
            "环节时限（工作小时）",
            "Working hours; all steps together no more than the promise.",
            {"type": "number", "exclusiveMinimum": 0, "maximum": LIMIT_HOURS_MAX},
        ),
        "documents": texts("所需材料", "Codes of documents.", maxItems=LIST_ITEMS_MAX),
        "fields": texts("所需信息", "Names of form fields.", maxItems=LIST_ITEMS_MAX),
    }
    return table("环节", "One step of the flow.", keys, ["code"])


def _benchmark() -> Schema:
    keys = {
        "grade": text("裁量等次", "The grade of the offence."),
        "party_kind": text("当事人类型", "Whose range it is; default whoever the party is."),
        "least_yuan": money("最低罚款（元）", "No more than most_yuan."),
        "most_yuan": money("最高罚款（元）", "No less than least_yuan."),
        "factors": texts("裁量因素", "One of these must hold.", maxItems=LIST_ITEMS_MAX),
    }
    return table("一个等次", "One grade.", keys, ["grade", "least_yuan", "most_yuan"])


def _pairs() -> Schema:
    duty = {"type": "string", "minLength": 1, "maxLength": TEXT_CHARS_MAX, "pattern": TEXT}
    two = pair(duty) | {"uniqueItems": True}
    default = [list(duties) for duties in DUTIES_APART]
    return said(
        "成对的岗位职责",
        "Each pair names two duties of steps.",
        {"type": "array", "items": two, "maxItems": PAIRS_MAX, "default": default},
    )


def _code(zh: str, en: str) -> Schema:
    """A code; `*` is none, for it stands for every item in a rulebook."""
    return text(zh, en, CODE_BYTES_MAX, **{"not": {"const": "*"}})


def _meant(words: Iterable[str]) -> dict[str, str]:
    return {word: WORDS[word] for word in words}
