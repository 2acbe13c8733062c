"""The schema of district.toml."""

from __future__ import annotations

from detector.district import (
    BASE,
    DATES_MAX,
    DROP,
    LIMIT_BOUNDS,
    OFFICE_HOURS,
    SPANS_MAX,
    TIME,
    TIME_ZONE,
    YEARS,
    Limits,
)
from detector.event import CODE_BYTES_MAX
from detector.gate_limits import ALLOW, DENY, TIMEOUT_MS, GateLimits
from detector.ladder import PROFILES
from detector.learn_settings import ALERTS, NUMBER, PERMILLE, RECORDS, LearnSettings
from detector.schema.ladder import ladder_keys
from detector.schema.parts import Schema, choice, days, flag, pair, said, table, text, texts, whole

# No ASCII sign but _ * . : - stands in the name of a field, and nothing blank.
FIELD_PATTERN = r"^[^\s\x00-)+,/;-@\[-^`{-\x9f]+$"
_LIMITS = {
    "lateness_s": (
        "容许迟到的秒数",
        "Seconds by which a record may arrive later than it was made.",
    ),
    "case_events_max": ("一个办件最多的记录数", "Events that one case may have; more are refused."),
    "clock_jump_days_max": (
        "时间最多超前的天数",
        "Days by which a time in a file may lie after the clock.",
    ),
    "source_lines_per_minute_max": (
        "一个来源每分钟最多的记录数",
        "Lines that one source may send over HTTP within a minute; 0 is any number. A source is"
        " what a line says it is, else its department.",
    ),
}


def district_schema() -> Schema:
    """The schema of one district.toml."""
    hours = pair({"type": "string", "pattern": f"^({TIME.pattern})$"})
    keys = {
        "code": text("行政区划代码", "The district's code.", CODE_BYTES_MAX),
        "name": text("辖区名称", "The district's name; default its code."),
        "time_zone": text(
            "时区",
            "IANA name of the zone in which times without an offset are read.",
            default=TIME_ZONE,
        ),
        "office_hours": said(
            "办公时间",
            "Pairs of times, the earlier one first; they may not overlap. 00:00 to 24:00 is the"
            " whole day.",
            {
                "type": "array", "items": hours, "minItems": 1, "maxItems": SPANS_MAX,
                "default": [list(span) for span in OFFICE_HOURS],
            },
        ),
        "profile": choice(
            "预警档次与时限", "Tier ladder, deadlines and pre-alerts.", PROFILES, default="default"
        ),
        **ladder_keys(),
        "calendar": _calendar(),
        "privacy": table("隐私", "What is removed before anything is stored.", {"drop": _drop()}),
        "departments": said(
            "部门名称",
            "What departments are called, by code; one without a name is shown by its code.",
            {
                "type": "object",
                "additionalProperties": text("部门名称", "What the department is called."),
            },
        ),
        "limits": table("界限", "Bounds on what is taken.", _limits()),
        "learning": table("自学习", "Limits that are learned from the record.", _learning()),
        "gate": table("事前查询", "What POST /gate answers where it cannot judge.", _gate()),
        "gate_on_failure": _on_failure("The same as on_failure of [gate]."),
    }  # fmt: skip
    return table("辖区", "A district: its clock, calendar and bounds.", keys, ["code"])


def _calendar() -> Schema:
    keys = {
        "base": text(
            "法定节假日",
            "A country's ISO code, make-up workdays included; weekends (free), or none (every day"
            " is a working day).",
            pattern="^([A-Z]{2}|weekends|none)$",
            default=BASE,
            examples=[BASE, "weekends", "none"],
        ),
        "covered_to": whole(
            "已公布调休安排的最后一年",
            "Last year whose make-up workdays are known; later deadlines are provisional.",
            *YEARS,
        ),
        "off": days("本地另行放假的日子", "Days that are free here besides.", DATES_MAX),
        "work": days("本地另行上班的日子", "Days that are worked here besides.", DATES_MAX),
    }
    return table("日历", "The working calendar.", keys)


def _drop() -> Schema:
    schema = texts(
        "落盘之前删除的字段",
        "Fields to remove; * stands for any letters. None that every event needs.",
        default=list(DROP),
    )
    return schema | {"items": schema["items"] | {"pattern": FIELD_PATTERN}}


def _limits() -> dict[str, Schema]:
    defaults = Limits()
    return {
        name: whole(*_LIMITS[name], *bounds, default=getattr(defaults, name))
        for name, bounds in LIMIT_BOUNDS.items()
    }


def _learning() -> dict[str, Schema]:
    usual = LearnSettings()
    alerts = "Learned findings of a rule that may speak, for each 1,000 cases; more are muted."
    step = "A limit that would move by more in a day waits for a person."
    total = "A limit that would move by more from what was last approved waits for a person."
    own = "A learner's floor, cap, own parameters, and on = 0 to leave it out."
    number = whole("参数", "Of this learner; see its card.", *NUMBER)
    one = said("学习器", own, {"type": "object", "additionalProperties": number})
    return {
        "on": flag("启用自学习", "Does this district learn.", usual.on),
        "alerts_per_1000_cases_max": whole(
            "每千件提醒上限", alerts, *ALERTS, default=usual.alerts_per_1000_cases_max
        ),
        "epoch_step_permille": whole("每日变动上限‰", step, *PERMILLE, default=usual.step_permille),
        "epoch_total_permille": whole(
            "累计变动上限‰", total, *PERMILLE, default=usual.total_permille
        ),
        "epoch_of_age_records": whole(
            "满龄记录数",
            "A limit of fewer records follows freely.",
            *RECORDS,
            default=usual.of_age_records,
        ),
        "learners": said(
            "各学习器", "By learner.", {"type": "object", "additionalProperties": one}
        ),
    }


def _gate() -> dict[str, Schema]:
    about = "Milliseconds to wait for a case that is being judged; then on_failure answers."
    wait = whole("最长等待毫秒数", about, *TIMEOUT_MS, default=GateLimits().timeout_ms)
    answer = _on_failure("What is answered where nobody can judge.")
    return {"on_failure": answer, "timeout_ms": wait}


def _on_failure(about: str) -> Schema:
    words = {ALLOW: "放行", DENY: "不放行"}
    return choice("无法判定时的答复", about, words, default=GateLimits().on_failure)
