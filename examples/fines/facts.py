"""What the fines log shows that no rule counts: OUT_DIR is that of a replay with `--events`.

Money: what was paid in the end against what was due in the end. Time: how many days after its
notification a penalty was added, counted on the wall clock. Midnight to midnight, 60 days are
1,439 or 1,441 hours where the clock was changed between them, so hours would miss three in ten.
"""

import argparse
import json
from pathlib import Path

import polars as pl

ZONE = "Europe/Rome"  # as in district.toml
PENALTY_DAYS = 60


def last(column: str) -> pl.Expr:
    """The last value that some event of the case gives, null where none does."""
    return pl.col(column).drop_nulls().last()


def day_of(step: str) -> pl.Expr:
    """The day of the wall clock on which a case came to this step."""
    return stamp_of(step).dt.convert_time_zone(ZONE).dt.date()


def stamp_of(step: str) -> pl.Expr:
    """The instant at which a case came first to this step, null where it never did."""
    return pl.col("occurred_at").filter(pl.col("step") == step).first()


def money(events: pl.DataFrame) -> dict[str, int]:
    """Cases with a payment: is their last total equal to the last fine and the expense."""
    cases = events.group_by("case_id", maintain_order=True).agg(
        paying=(pl.col("action") == "pay").any(),
        paid=last("fee_paid").fill_null(0),
        due=last("fine").fill_null(0) + last("fee_due").fill_null(0),
    )
    more = cases.filter("paying").select(fen=pl.col("paid") - pl.col("due"))["fen"]
    return {
        "cases_with_payment": len(more),
        "paid_equals_due": int((more == 0).sum()),
        "paid_less": int((more < 0).sum()),
        "paid_more": int((more > 0).sum()),
    }


def penalties(events: pl.DataFrame) -> dict[str, int]:
    """Cases with a penalty: how many days after the notification it was added."""
    notified, added = "Insert Fine Notification", "Add penalty"
    cases = events.group_by("case_id", maintain_order=True).agg(
        days=(day_of(added) - day_of(notified)).dt.total_days(),
        hours=(stamp_of(added) - stamp_of(notified)).dt.total_hours(),
        penalty=(pl.col("step") == added).any(),
    )
    cases = cases.filter("penalty")
    exact = cases["days"] == PENALTY_DAYS
    return {
        "cases_with_penalty": len(cases),
        "penalty_after_60_days": int(exact.sum()),
        "of_them_1440_hours": int((exact & (cases["hours"] == PENALTY_DAYS * 24)).sum()),
    }


def main() -> None:
    """Print the figures."""
    asked = argparse.ArgumentParser(description="Figures of the fines log.")
    asked.add_argument("out", type=Path, metavar="OUT_DIR")
    asked.add_argument("--json", action="store_true", help="one JSON object")
    given = asked.parse_args()
    columns = ["case_id", "action", "step", "occurred_at", "fine", "fee_due", "fee_paid"]
    events = pl.read_parquet(given.out / "events.parquet", columns=columns)
    facts = money(events) | penalties(events)
    if given.json:
        print(json.dumps(facts))
        return
    for name, count in facts.items():
        print(f"{name.replace('_', ' '):<24}{count:>9,}")


if __name__ == "__main__":
    main()
