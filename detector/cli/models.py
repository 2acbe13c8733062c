"""`oriole models`: the learners (模型) and the limits that they have put into force."""

from __future__ import annotations

import typer

from detector.cli import learned

app = typer.Typer(
    help="The learners: list, show, history; approve, reject, rollback, freeze, thaw.",
    no_args_is_help=True,
)
app.command("list")(learned.list_)
for command in (
    learned.show, learned.history, learned.approve, learned.reject, learned.rollback,
    learned.freeze, learned.thaw,
):  # fmt: skip
    app.command()(command)
