"""The schema of profile.toml, whose parts a district.toml may set anew."""

from __future__ import annotations

from collections.abc import Mapping

from detector.ladder import (
    COLOURS,
    DAYS_MOST,
    MORE_NOTICES,
    NOTICES,
    POINTS_MOST,
    RECIPIENTS,
    ROLES,
    SPECIAL_MAX,
    TIERS,
)
from detector.schema.parts import (
    Schema,
    choice,
    number,
    said,
    table,
    tables,
    text,
    texts,
    whole,
)
from detector.schema.rulebook import parts, rules
from detector.shelf import Shelved

_TIERS = dict(zip(TIERS, ("提醒", "预警", "督办", "整改"), strict=True))
_NOTICES = {
    "acknowledge_wd": ("签收期限", "Working days to acknowledge a notice."),
    "answer_warn_wd": ("预警反馈期限", "Working days to answer a warning."),
    "answer_urge_wd": ("督办反馈期限", "Working days to answer an urge."),
    "answer_rectify_wd": ("整改反馈期限", "Working days to answer a demand to rectify."),
    "urge_wd": ("督办期限", "Working days in which a supervisor must act on a notice."),
    "close_wd": ("督办办结期限", "Working days in which an urge must be closed."),
    "review_wd": ("审核期限", "Working days in which an answer must be accepted or rejected."),
    "appeal_wd": ("申诉审理期限", "Working days in which an appeal must be decided."),
    "release_wd": ("待发期限", "Working days in which a notice that waits must be released."),
    "lift_wd": ("自动摘牌", "Working days after which a mere reminder is lifted by itself."),
    "repeat_wd": ("再催间隔", "Working days after which an overdue notice is told of again."),
    "lift_tier_max": ("自动摘牌最高级别", "The highest tier that is lifted by itself."),
    "by_hand_from_tier": ("人工签发起始级别", "From this tier on people release; 5: never."),
}
_RECIPIENTS = {
    "remind": "提醒", "warn": "预警", "urge": "督办", "rectify": "整改", "level_2": "二级监察",
}  # fmt: skip


def profile_schema(shelf: Mapping[str, Shelved]) -> Schema:
    """The schema of a profile.toml."""
    keys = {
        "name": text("名称", "The profile's name."),
        "zh": text("中文名称", "Its name in Chinese."),
        "source": text("出处", "Where its figures are published."),
        **ladder_keys(demanded=True),
        "rules": rules(shelf),
    }
    demanded = ["name", "zh", "source", "tiers", "notices"]
    whole_file = table("阶梯", "A region's ladder of tiers, notices and points.", keys, demanded)
    return whole_file | {"$defs": parts()}


def ladder_keys(demanded: bool = False) -> dict[str, Schema]:
    """What a profile says and a district may say anew; a profile must say all of it."""
    tiers = {name: _rung(name, n) for n, name in enumerate(TIERS)}
    notices = {name: whole(*_NOTICES[name], 0, DAYS_MOST) for name in (*NOTICES, *MORE_NOTICES)}
    points = number("分值", "Points that one finding costs.", minimum=0, maximum=POINTS_MOST)
    return {
        "tiers": table("级别", "The tiers' names and colours.", tiers, TIERS if demanded else ()),
        "notices": table(
            "通知期限（工作日）", "Working days.", notices, NOTICES if demanded else ()
        ),
        "recipients": _recipients(),
        "points": said(
            "扣分", "Rule = points.", {"type": "object", "additionalProperties": points}
        ),
    }


def _recipients() -> Schema:
    words = f"Roles ({', '.join(ROLES)}) or persons of people.csv."
    keys = {name: texts(f"{zh}接收人", words) for name, zh in _RECIPIENTS.items()}
    assert keys.keys() == RECIPIENTS.keys()
    entry = table(
        "专门接收人", "Who receives what fits, instead.",
        {
            "to": texts("接收人", words, minItems=1), "item": text("权力编码", "Of this item."),
            "department": text("部门编码", "Of this department."),
            "tier": whole("级别", "Of this tier.", 0, 4),
            "level": whole("层级", "Of this level.", 1, 2),
        }, ["to"],
    )  # fmt: skip
    more = {
        "special": tables("专门接收人", "The most specific wins.", entry, maxItems=SPECIAL_MAX),
        "duty": text("值班员", "Who gets what nobody else can be found for: a person."),
    }
    return table("接收人", "Who receives notices, by tier and level.", keys | more)


def _rung(name: str, number: int) -> Schema:
    keys = {
        "tier": whole("级别", "Its number.", 0, len(TIERS) - 1, const=number),
        "zh": text("中文名称", "What people call it, in Chinese."),
        "en": text("英文名称", "What people call it, in English."),
        "colour": choice("颜色", "Its colour.", COLOURS),
    }
    return table(f"{_TIERS[name]} {name}", "One tier.", keys, list(keys))
