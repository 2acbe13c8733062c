"""The catalogue of what messages say: one row an occasion, Chinese and English side by side.

A label stands in the subject line behind the tier's name. In a text `{ask}` is what is to be done
and by when, `{said}` and `{remark}` what a person wrote (behind a colon; as a sentence), `{limit}`
the deadline that was missed; each vanishes where there is none. A reminder has a row for each of
its reasons.
"""

from __future__ import annotations

from typing import NamedTuple

from detector.verdict import Text


class Phrase(NamedTuple):
    """What is said on one occasion."""

    label: Text
    text: Text


LANGUAGES = ("zh", "en")
OCCASIONS = (
    "issued", "raised", "another", "reissued", "reminder", "urged", "assigned", "escalated",
    "lowered", "withdrawn", "lifted", "exempted", "closed", "answered", "appealed", "upheld",
    "referred", "duty", "digest", "pending",
)  # fmt: skip


def _row(label_zh: str, label_en: str, zh: str, en: str) -> Phrase:
    return Phrase(Text(label_zh, label_en), Text(zh, en))


PHRASES = {
    "issued": _row("", "", "{tier}：{what}{why}。{ask}", "{Tier}: {what}: {why}. {ask}"),
    "raised": _row(
        "（升级）", "raised",
        "{tier}（升级）：{what}{why}。{ask}",
        "{Tier} (raised): {what}: {why}. {ask}",
    ),
    "another": _row(
        "（新增）", "further finding",
        "{tier}：{what}答复后又发现{why}。{ask}",
        "{Tier}: found after the answer, {what}: {why}. {ask}",
    ),
    "reissued": _row(
        "（退回）", "answer returned",
        "{tier}：{what}的答复经审核退回{said}。{ask}",
        "{Tier}: the answer on {what} was reviewed and returned{said}. {ask}",
    ),
    "reminder": _row(
        "（催办）", "reminder",
        "催办：{what}{why}的{tier}尚待办理。{ask}",
        "Reminder: the {tier} on {what} is waiting: {why}. {ask}",
    ),
    "reminder.not_acknowledged": _row(
        "（催签）", "not acknowledged",
        "催办：{what}{why}的{tier}尚未签收{limit}。请即签收。{rest}",
        "Reminder: the {tier} on {what} is not acknowledged{limit}: {why}. Do so now. {rest}",
    ),
    "reminder.late_answer": _row(
        "（催答）", "not answered",
        "催办：{what}{why}的{tier}逾期未答复{limit}。请即答复。{rest}",
        "Reminder: the {tier} on {what} is not answered{limit}: {why}. Please answer now. {rest}",
    ),
    "reminder.unfinished": _row(
        "（催办）", "not finished",
        "催办：{what}{why}的{tier}逾期未办结{limit}。请即办结。",
        "Reminder: the {tier} on {what} is not finished{limit}: {why}. Please finish it now.",
    ),
    "reminder.unurged": _row(
        "（未督办）", "not urged",
        "提请履责：{what}{why}，逾期未督办{limit}。请即督办。",
        "Reminder: {what} has not been urged{limit}: {why}. Please urge it now.",
    ),
    "reminder.not_reviewed": _row(
        "（未审核）", "not reviewed",
        "提请履责：{what}的{tier}已答复，尚未审核。请即审核。",
        "Reminder: the {tier} on {what} was answered and is not reviewed. Please review it now.",
    ),
    "reminder.still_open": _row(
        "（催办）", "still open",
        "催办：{what}{why}的{tier}至今未办结{limit}。请抓紧办理并反馈进展。",
        "Reminder: the {tier} on {what} is still open{limit}: {why}. Please get on and report.",
    ),
    "urged": _row(
        "（督办）", "urged",
        "{by}督办：{what}{why}。{remark}{ask}",
        "Urged by {by}: {what}: {why}. {remark} {ask}",
    ),
    "assigned": _row(
        "（交办）", "assigned",
        "{by}交办：{what}{why}的{tier}请您办理。{remark}{ask}",
        "Assigned to you by {by}: the {tier} on {what}: {why}. {remark} {ask}",
    ),
    "escalated": _row(
        "（提级）", "escalated",
        "{tier}（提级）：{what}{why}，因{reason}提级办理。{ask}",
        "{Tier} (escalated): {what}: {why}. Escalated since {reason}. {ask}",
    ),
    "lowered": _row(
        "（降级）", "lowered",
        "{what}的通知已降为{tier}（{reason}）。{ask}",
        "The notice on {what} is now a {tier} ({reason}). {ask}",
    ),
    "withdrawn": _row(
        "（撤销）", "withdrawn",
        "{what}的{tier}已撤销（{reason}）。{remark}原要求不再执行。",
        "The {tier} on {what} is withdrawn ({reason}). {remark} Nothing more is asked.",
    ),
    "lifted": _row(
        "（解除）", "lifted",
        "{what}的{tier}已解除（{reason}）。{remark}",
        "The {tier} on {what} is lifted ({reason}). {remark}",
    ),
    "pending": _row(
        "（待发）", "to be released",
        "{what}{why}的{tier}待签发。请及时审核。",
        "The {tier} on {what}{why} waits to be released. Please review it.",
    ),
    "exempted": _row(
        "（豁免）", "exempted",
        "{what}的{tier}经{by}批准予以豁免。{remark}",
        "The {tier} on {what} is exempted by {by}. {remark}",
    ),
    "closed": _row(
        "（办结）", "closed",
        "{what}的{tier}已审核办结，感谢配合。",
        "The {tier} on {what} is reviewed and closed. Thank you.",
    ),
    "answered": _row(
        "（待审核）", "answered",
        "{what}的{tier}已由{by}答复{said}。请及时审核。",
        "The {tier} on {what} was answered by {by}{said}. Please review it.",
    ),
    "appealed": _row(
        "（申诉）", "appealed",
        "{by}对{what}的{tier}提出申诉{said}。请及时审理。",
        "{by} appeals against the {tier} on {what}{said}. Please decide.",
    ),
    "upheld": _row(
        "（申诉未获支持）", "upheld",
        "{what}的申诉经审理不予支持，维持{tier}。{remark}{ask}",
        "The appeal on {what} was heard and the {tier} upheld. {remark} {ask}",
    ),
    "referred": _row(
        "（申诉转报）", "referred",
        "{what}的申诉已转报上级审理。{remark}结果另行通知。",
        "The appeal on {what} was referred upward. {remark} You will be told the outcome.",
    ),
    "duty": _row(
        "（未送达）", "not delivered",
        "{what}的{tier}未能送达{person}（{reason}）。请及时处置。",
        "The {tier} on {what} did not reach {person} ({reason}). Please see to it.",
    ),
    "digest": _row(
        "（汇总）", "digest",
        "{tier}汇总：{count}件待办，涉及{why}。{first}",
        "{Tier}, digest: {count} notices are waiting: {why}. {first}",
    ),
}  # fmt: skip

# Why a notice moved, or why it did not arrive; to be read behind "因" and in brackets.
REASONS = {
    # withdrawn
    "closed_in_time": Text("经核实已按期办结", "it was closed in time"),
    "suspended": Text("期间依法中止，不计时限", "its clock was lawfully suspended"),
    "limit_changed": Text("办理期限已依规调整", "its limit has changed"),
    "corrected": Text("原记录已更正", "the record was corrected"),
    "one_stamp": Text("属数据来源时戳所致", "its source stamped the whole case with one time"),
    "superseded": Text("已由更高级别替代", "a higher tier took its place"),
    "appeal": Text("申诉成立", "the appeal was granted"),
    # lifted
    "finished_in_time": Text("已在时限内办结", "it was finished in time"),
    "expired": Text("提示期满，自动解除", "its term is over"),
    "ordered": Text("已转入督办", "an order took its place"),
    "person": Text("由监察人员决定", "a supervisor decided so"),
    # what was not done in time
    "not_acknowledged": Text("逾期未签收", "it was not acknowledged in time"),
    "late_answer": Text("逾期未答复", "it was not answered in time"),
    "unfinished": Text("逾期未办结", "it was not finished in time"),
    "unurged": Text("逾期未督办", "it was not urged in time"),
    "not_reviewed": Text("答复逾期未审核", "the answer was not reviewed in time"),
    "still_open": Text("长期未办结", "it has long been open"),
    # who could not be reached
    "no_recipient": Text("未配置接收人", "no recipient is configured"),
    "person_left": Text("接收人已不在岗", "the recipient has left"),
    "channel_dead": Text("发送渠道中断", "the channel is down"),
    "no_phone": Text("接收人未登记联系方式", "the recipient has no number on record"),
    "no_address": Text("接收人未登记电子邮箱", "the recipient has no e-mail address on record"),
}

SUBJECTS = {
    "case": Text("办件", "case"),
    "operator": Text("人员", "operator"),
    "supervisor": Text("监察人员", "supervisor"),
    "department": Text("部门", "department"),
    "source": Text("数据来源", "source"),
    "complaint": Text("投诉", "complaint"),
    "consultation": Text("咨询", "consultation"),
}

# What is asked until a deadline, in the order of the deadlines.
VERBS = {
    "acknowledge": Text("签收", "acknowledge"),
    "answer": Text("答复", "answer"),
    "answer_again": Text("重新答复", "answer again"),
    "finish": Text("办结", "finish"),
}

FIRST = Text("最早须于{when}前{verb}。", "First deadline: {verb} by {when}.")
LIMIT = Text("（期限{when}）", " (due {when})")
ATTEND = Text("请及时处理。", "Please attend to it.")
OTHER = Text("其他原因", "other reasons apply")
SYSTEM = Text("系统", "the system")
NO_REASON = Text("有待核实情形", "there is something to look into")
NOBODY = Text("接收人", "its recipient")
REMARK = Text("意见：{said}。", "Remark: {said}.")
MORE = Text("{first}等{n}项", "{first} and {more} more")
WITHHELD = Text("（已隐去）", "(withheld)")
OPEN_LINK = Text("办理：", " Open: ")
