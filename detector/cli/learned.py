"""`oriole models list`, `show`, `history` and what people do to a learner (模型、学习界限)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from detector.cli.common import Json, print_json, refuse, spoken_faults
from detector.cli.notice import SERVER, Actor, Server, asked

if TYPE_CHECKING:
    from detector.learning.settings import InForce
    from detector.learning.told import Told
    from detector.ledger import Reading

Data = Annotated[
    Path | None, typer.Option("--data", help="Read a ledger's data folder, and ask no service.")
]
Learner = Annotated[str, typer.Argument(help="The learner's id.")]
Key = Annotated[str, typer.Option(help="The name of one limit, as `show` prints it.")]
Reason = Annotated[str, typer.Option(help="Why; it is kept with what is done.")]
CHANGED_SHOWN = 5  # of one epoch, unless as JSON


def list_(data: Data = None, server: Server = SERVER, json: Json = False) -> None:
    """Learners that are on: limits in force, the last epoch, what waits and what stands still."""
    if data is None:
        told = asked(server, "/api/v1/models")
    else:
        with _folder(data) as (_, in_force, told_of):
            from detector.learned import brief

            names = in_force.learners if in_force else ()
            items = [brief(in_force, name, told_of(name)) for name in names if in_force]
            told = {"items": items, "next_cursor": None, "learns": in_force is not None}
    if json:
        print_json(told)
        return
    for one in told["items"]:
        stands = "；".join(f"{name}: {why}" for name, why in one["frozen"].items())
        typer.echo(
            f"{one['id']:<12} {one['zh']} {one['en']}  第{one['edition']}版"
            f"  界限 limits {one['limits_in_force']}  最近 last {one['last_day'] or '—'}"
            f"  待批 waiting {one['waits']}" + (f"  冻结 frozen {stands}" if stands else "")
        )
    if not told["learns"]:
        typer.echo("本辖区未启用自学习 this district does not learn ([learning] on = true)")


def show(
    learner: Learner,
    item: Annotated[str, typer.Option(help="Only limits of this item.")] = "",
    key: Key = "",
    day: Annotated[str, typer.Option(help="As they were at the end of a day.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=100_000)] = 50,
    data: Data = None,
    server: Server = SERVER,
    json: Json = False,
) -> None:
    """A learner's card, its limits in force and what waits."""
    query = {name: text for name, text in (("item", item), ("key", key), ("day", day)) if text}
    if data is None:
        told = _all_limits(server, learner, query, limit)
    else:
        told = _shown(data, learner, query, limit)
    if json:
        print_json(told)
        return
    typer.echo(told["prose"])
    typer.echo(
        f"\n{told['id']}  下限 floor {told['floor']}  上限 cap {told['cap']} {told['unit']}"
        f"  一日最多 a day at most {told['step_permille']}‰  累计 in all {told['total_permille']}‰"
    )
    for one in told["limits"]:
        typer.echo(_line(one))
    shown = len(told["limits"])
    typer.echo(f"{shown} 项界限 limits" + (" …" if told["next_cursor"] else ""))
    for one in told["waiting"]:
        typer.echo(f"待批 waiting  {one['name']}  {one['now']} → {one['value']} {one['unit']}")
    for name, why in told["frozen"].items():
        typer.echo(f"冻结 frozen  {name}: {why}")


def _line(one: dict[str, Any]) -> str:
    told = f"{one['name']:<44} {one['value']:>8} {one['unit']}  n {one['n']}  人 {one['people']}"
    told += f"  {one['since']}–{one['until']}"
    if one["pooled"]:
        told += f"  参照 leans on {one['pooled']}"
    if one["ordinary"]:
        told += "  通常 ordinary " + " ".join(f"{value}" for value, _ in one["ordinary"])
    return told


def history(
    learner: Learner,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 30,
    data: Data = None,
    server: Server = SERVER,
    json: Json = False,
) -> None:
    """Its epochs, the latest first: the day or who did what, what changed, and the hash."""
    if data is None:
        path = f"/api/v1/models/{learner}/epochs"
        told = asked(server, path, {"limit": str(limit)})
    else:
        with _folder(data) as (reader, in_force, _):
            from detector.learned import epoch_told, read_epoch

            known = _known(in_force, learner)
            rows = reader.epochs_before(learner, None, limit + 1)
            items = [epoch_told(known, read_epoch(row.doc)) for _, row in rows[:limit]]
            told = {"items": items, "next_cursor": str(rows[-2][0]) if rows[limit:] else None}
    if json:
        print_json(told)
        return
    for one in told["items"]:
        who = f" {one['actor']}: {one['reason']}" if one["actor"] else ""
        typer.echo(
            f"{one['day']}  {one['cause']:<8}{who}  观察 observed {one['observed']}"
            f"  界限 limits {one['limits_in_force']}  变动 changed {one['changed_in_all']}"
            f"  待批 waiting {len(one['waiting'])}  冻结 frozen {len(one['frozen'])}"
            f"  {one['sha256'][:16]}"
        )
        for move in one["changed"][:CHANGED_SHOWN]:
            typer.echo(f"    {move['name']}  {_or_none(move['old'])} → {_or_none(move['new'])}")
        if one["changed_in_all"] > CHANGED_SHOWN:
            typer.echo("    …")
    typer.echo(f"{len(told['items'])} 次 epochs" + (" …" if told["next_cursor"] else ""))


def _or_none(value: int | None) -> str:
    return "—" if value is None else str(value)


# -- what people do ----------------------------------------------------------------------------


def approve(
    learner: Learner, reason: Reason, key: Key = "", actor: Actor = "local", server: Server = SERVER
) -> None:
    """Let what waits come into force (批准): one limit, or all."""
    _act(server, learner, "approve", actor, reason, key=key)


def reject(
    learner: Learner, reason: Reason, key: Key = "", actor: Actor = "local", server: Server = SERVER
) -> None:
    """Keep what is in force (不批准): one limit, or all that waits."""
    _act(server, learner, "reject", actor, reason, key=key)


def rollback(
    learner: Learner,
    reason: Reason,
    to: Annotated[str, typer.Option(help="The day whose limits come back; the day before.")] = "",
    actor: Actor = "local",
    server: Server = SERVER,
) -> None:
    """Bring the limits of a day back (回退); the learner then stands still until it is thawed."""
    _act(server, learner, "rollback", actor, reason, to=to)


def freeze(
    learner: Learner,
    reason: Reason,
    key: Annotated[str, typer.Option(help="Of one name, an item for one; default all.")] = "",
    actor: Actor = "local",
    server: Server = SERVER,
) -> None:
    """Let its limits stand still (冻结)."""
    _act(server, learner, "freeze", actor, reason, key=key)


def thaw(learner: Learner, reason: Reason, actor: Actor = "local", server: Server = SERVER) -> None:
    """Let its limits move again (解冻)."""
    _act(server, learner, "thaw", actor, reason)


def _act(server: str, learner: str, act: str, actor: str, reason: str, **more: str) -> None:
    told = {"act": act, "actor": actor, "reason": reason} | {k: v for k, v in more.items() if v}
    done = asked(server, f"/api/v1/models/{learner}/acts", body=told)
    if "limits_in_force" not in done:
        typer.echo(f"{learner}: {act}: 已受理，随时钟生效 taken, in force with the clock")
        return
    typer.echo(
        f"{learner}: {act}: 界限 limits {done['limits_in_force']}  待批 waiting {done['waits']}"
        f"  冻结 frozen {len(done['frozen'])}"
    )


# -- where it is read --------------------------------------------------------------------------


def _all_limits(server: str, learner: str, query: dict[str, str], limit: int) -> dict[str, Any]:
    """The card with so many of its limits, page after page."""
    path, told = f"/api/v1/models/{learner}", dict[str, Any]()
    limits = list[Any]()
    cursor: str | None = ""
    while cursor is not None and len(limits) < limit:
        more = {"limit": str(min(limit - len(limits), 500))} | (
            {"cursor": cursor} if cursor else {}
        )
        told = asked(server, path, query | more)
        limits += told["limits"]
        cursor = told["next_cursor"]
    return told | {"limits": limits}


def _shown(data: Path, learner: str, query: dict[str, str], limit: int) -> dict[str, Any]:
    with _folder(data) as (_, in_force, told_of):
        from detector.learned import everything, limit_told, wanted, whole

        known = _known(in_force, learner)
        card, told = known.learners[learner], told_of(learner, _day(query.pop("day", "")))
        odd = [name for name in query if name not in ("key", *card.keys)]
        if odd:
            refuse(
                f"--{odd[0]}: limits of {learner} are told by {', '.join(card.keys) or 'nothing'}"
            )
        some = wanted(told.limits, card.keys, query, everything)
        limits = [limit_told(card.keys, card.unit, one) for one in some[:limit]]
        more = limits[-1]["name"] if len(some) > limit else None
        return whole(known, learner, told) | {"limits": limits, "next_cursor": more}


def _day(text: str) -> int | None:
    from datetime import date

    from detector.values import day_of_date

    try:
        return day_of_date(date.fromisoformat(text)) if text else None
    except ValueError:
        refuse("--day: is no day: write 2026-03-02")


def _known(in_force: InForce | None, learner: str) -> InForce:
    if in_force is None:
        refuse("this district does not learn: [learning] on = true in district.toml")
    if learner not in in_force.learners:
        refuse(f"{learner}: no such learner is on; there are {', '.join(in_force.learners)}")
    return in_force


Opened = tuple["Reading", "InForce | None", "Callable[..., Told]"]


@contextmanager
def _folder(data: Path) -> Iterator[Opened]:
    """A data folder's ledger, the learners in force there, and what their epochs come to."""
    from detector.learned import fold
    from detector.learning.told import Told
    from detector.ledger import LedgerError
    from detector.ledger.sqlite_file import FILE, open_reader
    from detector.live.contents import contents_until

    with spoken_faults():
        try:
            reader = open_reader(data / FILE)
            content = contents_until(reader, 1 << 62)[-1].content
        except LedgerError as fault:
            refuse(str(fault))
        desk = content.engine().learn_desk

    def told_of(name: str, day: int | None = None) -> Told:
        return fold(reader, name, Told(), until_day=day)[1]

    try:
        yield reader, desk.in_force if desk else None, told_of
    finally:
        reader.close()
