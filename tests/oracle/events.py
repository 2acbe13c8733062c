"""The event rules: how each measures, its tier, its reason, and what mutes it, in order.

A rule is given the events of the case judged before (`past`), this event and the setting.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from . import money, process, truth
from .outcome import Outcome


class EventRule(NamedTuple):
    """One event rule; where it has several reasons, its hits name them."""

    measure: Callable[..., Outcome]
    tier: int
    reason: str
    mutes: tuple[str, ...] = ("imported", "exempt")


PACE = ("imported", "on_the_spot", "one_stamp", "system_action", "exempt")
PERSONAL = ("imported", "system_action", "exempt")

ONE_STAMPED = ("too_fast_step", "same_person")  # taken back where everything bears one stamp

EVENT_RULES = {
    "too_fast_step": EventRule(truth.too_fast_step, 2, "too_fast", PACE),
    "too_fast_case": EventRule(truth.too_fast_case, 2, "too_fast", PACE),
    "back_entry": EventRule(truth.back_entry, 2, "back_entered", PERSONAL),
    "same_person": EventRule(
        truth.same_person, 2, "same_person", ("imported", "one_stamp", "exempt")
    ),
    "impossible_order": EventRule(truth.impossible_order, 1, "inverted"),
    "late_exchange": EventRule(truth.late_exchange, 0, "late"),
    "off_hours": EventRule(truth.off_hours, 0, "off_hours", PERSONAL),
    "fee_mismatch": EventRule(money.fee_mismatch, 2, ""),  # short or over
    "unpaid_issue": EventRule(money.unpaid_issue, 2, "unpaid"),
    "unlawful_fee": EventRule(money.unlawful_fee, 3, "unlawful"),
    "discretion_deviation": EventRule(
        money.discretion_deviation, 2, "deviates", ("imported", "justified", "exempt")
    ),
    "major_penalty": EventRule(money.major_penalty, 0, "major"),
    "late_registration": EventRule(process.late_registration, 1, "late"),
    "repeated_return": EventRule(process.repeated_return, 1, "repeated"),
    "correction_after_acceptance": EventRule(
        process.correction_after_acceptance, 2, "after_acceptance"
    ),
    "unreasoned_refusal": EventRule(process.unreasoned_refusal, 1, "unreasoned"),
    "unlisted_power": EventRule(process.unlisted_power, 2, ""),  # unlisted, dormant or abolished
    "uncertified_officer": EventRule(process.uncertified_officer, 2, ""),  # none or expired
    "suspended_or_terminated": EventRule(process.suspended_or_terminated, 0, "interrupted"),
    "missing_document": EventRule(process.missing_document, 1, "missing"),
    "missing_field": EventRule(process.missing_field, 1, "missing"),
    "skipped_step": EventRule(process.skipped_step, 2, "skipped"),
}
