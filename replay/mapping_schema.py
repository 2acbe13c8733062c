"""The schema of a mapping file, from the fields and words that its reader knows."""

from __future__ import annotations

from detector.event import (
    CODE_BYTES_MAX,
    DAYS,
    DAYS_MAX,
    LIST_ITEMS_MAX,
    LISTS,
    MONEYS,
    TEXT_CHARS_MAX,
    TEXTS,
)
from detector.schema.parts import Schema, choice, money, ref, said, table, tables, text
from replay.mapping import (
    CODE_FIELDS,
    COLUMN_CHARS_MAX,
    DEMANDED,
    EMITS_MAX,
    FIELDS,
    PER,
    TIMES,
    VALUED,
    WORDS,
)

NAMES = {
    "case_id": "办件编号", "item": "权力编码", "department": "部门", "action": "动作",
    "event_id": "事件编号", "district": "辖区", "step": "环节", "operator": "经办人",
    "source": "来源系统", "result": "办理结果", "channel": "办理渠道", "grade": "裁量等次",
    "party_kind": "当事人类型", "supersedes": "更正的事件", "procedure": "特别程序",
    "occurred_at": "办理时间", "recorded_at": "录入时间", "received_at": "到达时间",
    "due_at": "到期时刻", "offence_at": "违法行为发生时间", "reason": "理由", "title": "标题",
    "relief_reason": "减免原因", "documents": "材料", "fields": "信息", "factors": "裁量因素",
    "fee_due": "应收（元）", "fee_paid": "实收（元）", "fine": "罚款（元）",
    "days_granted": "批准天数", "promised_days": "承诺天数", "statutory_days": "法定天数",
    "imported": "批量导入",
}  # fmt: skip
_CODE = r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$"  # no control, not blank
_TIME = r"^\s*[0-9]{4}-?[0-9]{2}-?[0-9]{2}([T ]?[0-9]{2}:?[0-9]{2}.*)?\s*$"


def mapping_schema() -> Schema:
    """The schema of one mapping.toml."""
    named = [
        {"anyOf": [_holds("columns", name), _holds("constants", name)]}
        for name in dict.fromkeys(DEMANDED)
    ]
    keys = {
        "columns": ref("columns"),
        "constants": ref("constants"),
        "values": table(
            "用语对照",
            "Their word = ours, for a field that a column is named for.",
            {name: _values(name) for name in VALUED},
        ),
        "emit": tables(
            "另行生成的事件", "Further events of a row or a case.", _emit(), maxItems=EMITS_MAX
        ),
    }
    return table("字段对照", "How a foreign log becomes case events.", keys, allOf=named) | {
        "$defs": {"columns": _columns(), "constants": _constants()}
    }


def _holds(where: str, name: str) -> Schema:
    return {"required": [where], "properties": {where: {"required": [name]}}}


def _columns() -> Schema:
    column = "Their column that holds it; in XES, case:… is an attribute of the trace."
    keys = {name: text(_named(name), column, COLUMN_CHARS_MAX) for name in FIELDS}
    return table("各字段的原列名", "Our field = their column.", keys)


def _constants() -> Schema:
    keys = {name: _constant(name) for name in FIELDS}
    return table("固定取值", "Our field = its value in every event.", keys)


def _constant(name: str) -> Schema:
    """A value as a line would be judged."""
    zh, en = _named(name), "The same in every event."
    if name in WORDS:
        return choice(zh, en, WORDS[name])
    if name in TIMES:
        return said(zh, en, {"type": "string", "pattern": _TIME})
    if name in TEXTS:
        return said(zh, en, {"type": "string", "minLength": 1, "maxLength": TEXT_CHARS_MAX})
    if name in MONEYS:
        return money(zh, en)
    if name in LISTS:
        entries = {"type": "array", "items": {"type": "string", "maxLength": TEXT_CHARS_MAX}}
        split = {"type": "string", "minLength": 1}  # "a;b;c"
        return said(zh, en, {"anyOf": [entries | {"maxItems": LIST_ITEMS_MAX}, split]})
    if name in DAYS:
        number = {"type": "integer", "minimum": 0, "maximum": DAYS_MAX}
        return said(zh, en, {"anyOf": [number, {"type": "string", "pattern": "^[0-9]{1,15}$"}]})
    if name in CODE_FIELDS:
        sound = {"type": "string", "pattern": _CODE, "maxLength": CODE_BYTES_MAX}
        return said(zh, en, sound)
    spelled = {"type": "string", "pattern": "^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|[01])$"}
    return said(zh, en, {"anyOf": [{"type": "boolean"}, spelled]})


def _values(name: str) -> Schema:
    """Their words, any; ours, which may be empty: they wrote it for nothing."""
    ours = text(_named(name), "Our word.")
    if name in WORDS:
        ours = choice(_named(name), "Our word.", WORDS[name])
    either = {"anyOf": [{"const": ""}, ours]} if name not in WORDS else ours
    return said(_named(name), "Their word = ours.", {
        "type": "object", "additionalProperties": either,
    })  # fmt: skip


def _emit() -> Schema:
    keys = {
        "per": choice(
            "每行或每件", "Made of each row, or once of a case's last row.", PER,
            default="row",
        ),
        "when": text("非空才生成的列", "Their column that must not be empty.", COLUMN_CHARS_MAX),
        "columns": ref("columns"),
        "constants": ref("constants"),
    }  # fmt: skip
    return table(
        "一种另行生成的事件",
        "What it does not name of case, item and department is the row's.",
        keys,
    )


def _named(name: str) -> str:
    return f"{NAMES[name]} {name}" if name in NAMES else name
