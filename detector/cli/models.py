"""`oriole models`: the learners (模型), their shelf, and what they have put into force."""

from __future__ import annotations

from typing import Annotated

import typer

from detector.cli import learned
from detector.cli.common import CHECK_FOUND, Json, print_json, refuse, spoken_faults

app = typer.Typer(
    help="The learners: list, show, history; acts on them; lock and test of their shelf.",
    no_args_is_help=True,
)
app.command("list")(learned.list_)
for command in (
    learned.show, learned.history, learned.approve, learned.reject, learned.rollback,
    learned.freeze, learned.thaw,
):  # fmt: skip
    app.command()(command)


@app.command("lock")
def lock(
    check: Annotated[bool, typer.Option("--check", help="Only compare with models.lock.")] = False,
    json: Json = False,
) -> None:
    """Write models.lock, or with --check tell what differs from it."""
    from detector.cli import locks

    with spoken_faults():
        from detector.learning.shelf import (
            LOCK,
            load_learners,
            lock_faults,
            lock_text,
            models_folder,
        )

        shelf = load_learners()
    locks.lock(
        models_folder() / LOCK, "learners", len(shelf), lock_text(shelf),
        lambda held: lock_faults(shelf, held), check, json,
    )  # fmt: skip


@app.command("test")
def test(
    learner_id: Annotated[str, typer.Argument(help="One learner; default all.")] = "",
    json: Json = False,
) -> None:
    """Run the examples of one learner or of all."""
    with spoken_faults():
        from detector.learning.shelf import load_learners
        from detector.learning.stories import tell_all

        shelf = load_learners()
    if learner_id not in ("", *shelf):
        refuse(f"{learner_id}: no such learner; there are {', '.join(shelf)}")
    told = list(tell_all(shelf, learner_id))
    failed = [one for one in told if one[2]]
    if json:
        faults = [{"learner": i, "example": title, "fault": fault} for i, title, fault in failed]
        print_json({"passed": len(told) - len(failed), "failed": len(failed), "faults": faults})
    else:
        for i, title, fault in failed:
            typer.echo(f"{i}: {title}: {fault}")
        typer.echo(f"{len(told) - len(failed)} passed, {len(failed)} failed")
    if failed:
        raise typer.Exit(CHECK_FOUND)
