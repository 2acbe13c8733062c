"""A source that stamps whole cases with the time of their finish. 数据源同一时戳

What    The first close of a case bears the very stamp of its acceptance. Found once a source and day:
        it is the upload that is at fault, not a thousand clerks.
Basis   A provincial uploader invents acceptance, review and close, all stamped with the finish time,
        where no workflow exists (published); one case a day is enough (ours).
Unit    Cases.
Blind   A source that stamps its invented steps a second apart. On-the-spot items are lawfully
        instant and not counted.
"""

import numpy as np

from detector.rulekit import NEVER_BELOW, Band, Example, Rule, ev

_AT = "2026-03-02 16:00:00"


def _upload(case: str = "case-1", at: str = _AT, **fields):
    told = {"case_id": case, "operator": "A", "source": "S1"} | fields
    return (
        ev("accept", at, **told),
        ev("step", at, step="review", **told),
        ev("close", at, **told),
    )


RULE = Rule(
    id="one_stamp_source",
    edition=1,
    family="truth",
    zh="数据源同一时戳",
    en="source stamps cases alike",
    basis="Acceptance, review and close all stamped with the finish time by an uploader (published); once a source and day (ours)",
    unit="cases",
    subject="source",
    per="stamp",
    unknown=(("date_only", lambda c, p: c["date_only"] & (c["cases"] > 0)),),
    measure=lambda c, p: c["cases"],
    limit=lambda c, p: np.zeros_like(c["cases"]),
    bands=(
        Band("apart", NEVER_BELOW),
        Band("one_stamp", 0, tier=1, exclusive=True, zh="受理与办结同一时间戳", en="acceptance and close bear one stamp"),
    ),
    cause=("day",),
    evidence=("recorded_at", "day", "close_of"),
    sentence_zh="数据来源 {subject}（{department}）{day}：办件 {close_of} 的受理与办结均记为 {recorded_at}，{reason_zh}；当日同类办件只报一次。",
    sentence_en="Source {subject} ({department}), {day}: acceptance and close of case {close_of} are both recorded at {recorded_at}: {reason_en}; said once a day.",
    examples=(
        Example("acceptance, review and close at the finish time", _upload(), "one_stamp"),
        Example("a thousand of them are one fault of the source", (*_upload(), *_upload("case-2", "2026-03-02 16:30:00"), *_upload("case-3", "2026-03-02 17:00:00")), "one_stamp"),
        Example("the next day it is said again", (*_upload(), *_upload("case-2", "2026-03-03 16:30:00")), "one_stamp", count=2),
        Example("two sources are two", (*_upload(), *_upload("case-2", source="S2")), "one_stamp", count=2),
        Example("a source without a name is its department", _upload(source=None), "one_stamp"),
        Example("closed a second after it was accepted", (*_upload()[:2], _upload(at="2026-03-02 16:00:01")[2]), "clear"),
        Example("closed a second time under the stamp", (_upload()[0], _upload(at="2026-03-02 16:00:01")[2], _upload()[2] | {"received_at": "2026-03-02 17:00:00"}), "clear"),
        Example("an on-the-spot item is lawfully instant", _upload(), "clear", item={"kind": "on_the_spot"}),
        Example("a declared import", _upload(imported=True), "clear"),
        Example("closed without an acceptance", _upload()[1:], "clear"),
        Example("an on-the-spot item on a day without hours", _upload(at="2026-03-02 00:00:00"), "clear", item={"kind": "on_the_spot"}),
        Example("a day without hours", _upload(at="2026-03-02 00:00:00"), "undetermined:date_only"),
    ),
)  # fmt: skip
