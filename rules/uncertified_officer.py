"""A penalty worked by somebody without a certificate valid that day. 无证执法

What    Days between the day of the work and the nearest day on which some certificate of the operator
        is valid; nobody's certificate is known at all counts apart.
Basis   Legal-supervision platform: enforcement officers hold a valid certificate (published);
        Administrative Penalty Law art. 42.
Unit    Days.
Blind   Only what was received before the event counts; a department that never told of its officers is
        not judged.
"""

from detector.rulekit import NEVER_BELOW, Band, Example, Rule, ev, fact

_PENALTY = {"type": "02"}


def _certificate(
    person: str = "A", valid_from: str = "2026-01-01", valid_to: str = "2026-03-02",
    received_at: str = "2026-01-05 09:00:00",
):  # fmt: skip
    told = {"fact_id": f"f-{person}-{valid_to}", "person": person, "certificate": "C1"}
    valid = {"valid_from": valid_from, "valid_to": valid_to}
    return fact("officer", received_at, department="D01", **told, **valid)


def _work(at: str, **fields):
    return ev("decide", at, **{"operator": "A"} | fields)


RULE = Rule(
    id="uncertified_officer",
    edition=1,
    family="process",
    zh="无证执法",
    en="uncertified officer",
    basis="Legal-supervision platform (published); Administrative Penalty Law art. 42",
    unit="days",
    actions=("accept", "step", "decide"),
    applies=lambda c, p: c["has_operator"] & (c["is_penalty"] | ~c["item_listed"]) | c["lacks_operators"],
    unknown=(
        ("operator_unknown", lambda c, p: c["lacks_operators"]),
        ("item_not_listed", lambda c, p: ~c["item_listed"]),
        ("no_officer_register", lambda c, p: ~c["officers_registered"]),
    ),
    measure=lambda c, p: c["days_uncertified"],
    limit=lambda c, p: c["days_uncertified"] * 0,
    bands=(
        Band("valid", NEVER_BELOW),
        Band("expired", 1, tier=2, zh="执法证不在有效期内", en="the certificate is not valid that day"),
        Band("none", 40_178, tier=2, zh="没有执法证", en="has no certificate"),
    ),
    mutes=("imported",),
    events=lambda c, p: (c["this_event"],),
    evidence=("occurred_at", "operator"),
    sentence_zh="案件 {case_id}：{operator} 于 {occurred_at} 办理“{step}”，{reason_zh}（距有效期 {value} 天）。",
    sentence_en="Case {case_id}: {operator} worked \"{step}\" at {occurred_at}: {reason_en} ({value} days from validity).",
    examples=(
        Example("nobody's certificate", (_certificate("B"), _work("2026-03-02 09:00:00")), "none", item=_PENALTY),
        Example("the last day of validity", (_certificate(), _work("2026-03-02 17:00:00")), "clear", item=_PENALTY),
        Example("the day after", (_certificate(), _work("2026-03-03 09:00:00")), "expired", item=_PENALTY),
        Example("the day before the first", (_certificate(valid_from="2026-03-02", valid_to="2026-12-31"), _work("2026-03-01 09:00:00")), "expired", item=_PENALTY),
        Example("a lifetime after", (_certificate(valid_from="1990-01-01 08:00:00", valid_to="1990-01-01 08:00:00"), _work("2100-01-01 07:00:00")), "expired", item=_PENALTY),
        Example("renewed", (_certificate(), _certificate(valid_from="2026-03-03", valid_to="2027-03-02"), _work("2026-03-03 09:00:00")), "clear", item=_PENALTY),
        Example("told of only afterwards", (_certificate("B"), _certificate(valid_to="2026-12-31", received_at="2026-03-02 09:00:01"), _work("2026-03-02 09:00:00")), "none", item=_PENALTY),
        Example("a permit needs no such certificate", (_certificate("B"), _work("2026-03-02 09:00:00")), "clear"),
        Example("the system acts by itself", (_certificate("B"), _work("2026-03-02 09:00:00", operator=None)), "clear", item=_PENALTY),
        Example("declared bulk import", (_certificate("B"), _work("2026-03-02 09:00:00", imported=True)), "muted:imported", item=_PENALTY),
        Example("a department that tells of no officers", (_work("2026-03-02 09:00:00"),), "undetermined:no_officer_register", item=_PENALTY),
        Example("an item that is not listed", (_certificate("B"), _work("2026-03-02 09:00:00", item="nowhere")), "undetermined:item_not_listed", item=_PENALTY),
        Example("a source without operators", (_certificate("B"), _work("2026-03-02 09:00:00")), "undetermined:operator_unknown", item=_PENALTY, lacks=("operator",)),
    ),
)  # fmt: skip
