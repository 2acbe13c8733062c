"""`oriole notice`: notices of a running service, and what one does about them."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from detector.cli.common import Json, print_json, refuse

app = typer.Typer(help="Notices (通知) of a running service.", no_args_is_help=True)
Server = Annotated[str, typer.Option("--server", envvar="ORIOLE_SERVER", help="Its address.")]
SERVER = "http://127.0.0.1:8000"
Notice = Annotated[str, typer.Argument(help="The notice's id.")]
Actor = Annotated[str, typer.Option(help="Who acts: a person of people.csv.")]
Words = Annotated[str, typer.Option("--text", help="What is said with it.")]


@app.command("list")
def list_(
    state: Annotated[str | None, typer.Option(help="open, or a state.")] = "open",
    department: Annotated[str | None, typer.Option()] = None,
    tier: Annotated[int | None, typer.Option(min=0, max=4)] = None,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 50,
    server: Server = SERVER,
    json: Json = False,
) -> None:
    """Notices, those issued last first."""
    asked = {"state": state, "department": department, "tier": tier, "limit": limit}
    told = _ask(server, "", {k: str(v) for k, v in asked.items() if v is not None})
    if json:
        print_json(told)
        return
    for one in told["items"]:
        who = "、".join(one["recipients"]) or one["orphan"] or "—"
        due = (one["next_at"] or "—")[:16].replace("T", " ")
        typer.echo(
            f"{one['notice_id']}  {one['tier']}级 {one['state']:<12} {one['department'] or '—':<8}"
            f" {one['subject_kind']}:{one['subject']}  → {who}  下一时刻 next {due}"
        )
    typer.echo(f"{len(told['items'])} 件 notices" + (" …" if told["next_cursor"] else ""))


@app.command()
def show(notice: Notice, server: Server = SERVER, json: Json = False) -> None:
    """One notice: what it holds, and how it went."""
    told = _ask(server, notice)
    if json:
        print_json(told)
        return
    for name in ("notice_id", "state", "tier", "level", "subject", "department", "issued_at",
                 "acknowledge_by", "answer_by", "finish_by", "next_at"):  # fmt: skip
        typer.echo(f"{name:<15} {told[name]}")
    typer.echo(f"{'recipients':<15} {'、'.join(told['recipients'])} {told['orphan'] or ''}")
    typer.echo(f"{'findings':<15} {len(told['findings'])}")
    for step in told["history"]:
        said = f"：{step['text']}" if step["text"] else ""
        typer.echo(
            f"{step['at'][:19]}  {step['from'] or '·'} → {step['to'] or '·'}"
            f"  {step['reason']}  ({step['actor']}){said}"
        )


@app.command()
def ack(notice: Notice, actor: Actor = "local", server: Server = SERVER) -> None:
    """Acknowledge it (签收)."""
    _act(server, notice, {"act": "acknowledge", "actor": actor})


@app.command()
def answer(notice: Notice, text: Words, actor: Actor = "local", server: Server = SERVER) -> None:
    """Answer it (反馈)."""
    _act(server, notice, {"act": "answer", "text": text, "actor": actor})


@app.command()
def close(notice: Notice, actor: Actor = "local", server: Server = SERVER) -> None:
    """Close it (办结)."""
    _act(server, notice, {"act": "close", "actor": actor})


@app.command()
def act(
    notice: Notice,
    name: Annotated[str, typer.Argument(help="accept, reject, urge, lift, assign, appeal …")],
    text: Words = "",
    reason: Annotated[str, typer.Option()] = "",
    person: Annotated[str, typer.Option()] = "",
    until: Annotated[str, typer.Option()] = "",
    decision: Annotated[str, typer.Option(help="withdraw, uphold or refer.")] = "",
    actor: Actor = "local",
    server: Server = SERVER,
) -> None:
    """Any other act."""
    told = {"text": text, "reason": reason, "person": person, "until": until, "decision": decision}
    given = {k: v for k, v in told.items() if v}
    _act(server, notice, {"act": name, "actor": actor} | given)


@app.command()
def dead(server: Server = SERVER, json: Json = False) -> None:
    """Messages that could not be delivered (死信), and why."""
    told = asked(server, "/api/v1/dead-letters")
    if json:
        print_json(told)
        return
    for one in told["items"]:
        typer.echo(
            f"{one['message_id']}  {one['tier']}级 {one['occasion']:<10} → {one['person']}"
            f"  {one['channel'] or '—'}  {one['reason']}"
        )
    typer.echo(f"{len(told['items'])} 封 letters" + (" …" if told["next_cursor"] else ""))


@app.command()
def resend(
    message: Annotated[str, typer.Argument(help="The message's id.")], server: Server = SERVER
) -> None:
    """Try a dead letter again (重发)."""
    done = asked(server, f"/api/v1/dead-letters/{quote(message, safe='')}/resend", body={})
    typer.echo(f"{done['message_id']}: {done['state']}")


def _act(server: str, notice: str, told: dict[str, str]) -> None:
    done = _ask(server, notice, body=told)
    typer.echo(f"{done['notice_id']}: {done['state']}")


def _ask(
    server: str, notice: str, query: dict[str, str] | None = None,
    body: dict[str, str] | None = None,
) -> Any:  # fmt: skip
    path = f"/{notice}" if notice else ""
    return asked(server, f"/api/v1/notices{path}" + ("/acts" if body else ""), query, body)


def asked(
    server: str, path: str, query: dict[str, str] | None = None, body: dict[str, str] | None = None
) -> Any:
    """What the service answers. Its refusals are said in its own words."""
    from detector.adapters.asks import Refused, ask

    try:
        return ask(server, path, query, body)
    except Refused as fault:
        refuse(str(fault))
