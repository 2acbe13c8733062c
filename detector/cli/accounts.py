"""`oriole user`, `oriole key` and `oriole audit`: who may come in, and what they did."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from detector.cli.common import CHECK_FOUND, Json, print_json, refuse
from detector.cli.ledger import DATA, Data, Ledger

if TYPE_CHECKING:
    from detector.registry import Registry

users = typer.Typer(help="Accounts of people (账户).", no_args_is_help=True)
keys = typer.Typer(help="Keys of programs (接口密钥).", no_args_is_help=True)
audits = typer.Typer(help="What everybody did (操作审计).", no_args_is_help=True)
BY = "command line"
DAY_US = 86_400_000_000
Name = Annotated[str, typer.Argument(help="The account's name.")]
Role = Annotated[str, typer.Option(help="What they may do; an unknown one names all.")]
Departments = Annotated[
    str, typer.Option(help="Codes, with commas between; without it the whole district.")
]


@users.command("add")
def add_user(
    name: Name, role: Role, departments: Departments = "",
    person: Annotated[str, typer.Option(help="Who it is in people.csv.")] = "",
    oidc: Annotated[str, typer.Option(help="What the OIDC provider calls them.")] = "",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the first password from stdin.")
    ] = False,
    data: Data = DATA, ledger: Ledger = "", json: Json = False,
) -> None:  # fmt: skip
    """A new account. Its password serves once: whoever comes in by it must choose another."""
    from detector.registry import here

    _known_role(role)
    given = _first_line() if password_stdin else ""
    with _registry(data, ledger) as registry:
        told = registry.registrar.add(
            name, role, _codes(departments), person, BY, here(), given, oidc
        )
    _say_secret({"name": name, "role": role}, "password", "" if given else told, json)


@users.command("list")
def list_users(data: Data = DATA, ledger: Ledger = "", json: Json = False) -> None:
    """All accounts."""
    with _registry(data, ledger) as registry:
        told = [
            {"name": one.name, "role": one.role, "departments": one.departments,
             "person": one.person, "disabled": one.disabled, "codes": bool(one.totp),
             "must_change": one.must_change}
            for one in registry.store.accounts()
        ]  # fmt: skip
    if json:
        print_json({"items": told})
        return
    for row in told:
        state = "停用 disabled" if row["disabled"] else ""
        typer.echo(f"{row['name']:<20} {row['role']:<12} {_shown(row['departments'])}  {state}")


@users.command()
def disable(
    name: Name, data: Data = DATA, ledger: Ledger = "",
    again: Annotated[bool, typer.Option("--enable", help="Open it again.")] = False,
) -> None:  # fmt: skip
    """Shut an account: its sessions end at once."""
    from detector.registry import here

    with _registry(data, ledger) as registry:
        registry.registrar.disable(name, not again, BY, here())
    typer.echo(f"{name}: {'启用 enabled' if again else '停用 disabled'}")


@users.command()
def reset(name: Name, data: Data = DATA, ledger: Ledger = "", json: Json = False) -> None:
    """A new password that serves once; one-time codes are off, sessions have ended."""
    from detector.registry import here

    with _registry(data, ledger) as registry:
        told = registry.registrar.reset(name, BY, here())
    _say_secret({"name": name}, "password", told, json)


@keys.command("add")
def add_key(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    role: Role = "system",
    powers: Annotated[str, typer.Option(help="Of the role's, with commas; default: all.")] = "",
    departments: Departments = "",
    per_minute: Annotated[int, typer.Option(min=1, max=1_000_000, help="Requests.")] = 600,
    days: Annotated[int, typer.Option(min=0, max=3_660, help="It serves; 0: for ever.")] = 365,
    data: Data = DATA, ledger: Ledger = "", json: Json = False,
) -> None:  # fmt: skip
    """A new key, told once: `Authorization: Bearer ork_…`."""
    from detector.registry import here
    from detector.web.who import ROLES

    _known_role(role)
    wanted = tuple(powers.split(",")) if powers else tuple(sorted(ROLES[role]))
    if more := set(wanted) - ROLES[role]:
        refuse(f"--powers: {', '.join(sorted(more))}: not of {role}: {', '.join(ROLES[role])}")
    came = here()
    with _registry(data, ledger) as registry:
        key_id, told = registry.registrar.add_key(
            name, role, wanted, _codes(departments), BY, came, per_minute,
            came.now_us + days * DAY_US if days else None,
        )  # fmt: skip
    _say_secret({"key_id": key_id, "name": name, "powers": wanted}, "key", told, json)


@keys.command("list")
def list_keys(data: Data = DATA, ledger: Ledger = "", json: Json = False) -> None:
    """All keys, without their secrets."""
    from detector.values import iso_time

    with _registry(data, ledger) as registry:
        held = registry.store.keys()
        told: list[dict[str, Any]] = [
            {"key_id": one.key_id, "name": one.name, "role": one.role, "powers": one.powers,
             "departments": one.departments, "per_minute": one.per_minute,
             "expires_at": iso_time(one.expires_us) if one.expires_us else None,
             "revoked": one.revoked_us is not None}
            for one in held
        ]  # fmt: skip
    if json:
        print_json({"items": told})
        return
    for row in told:
        state = "吊销 revoked" if row["revoked"] else (row["expires_at"] or "")[:10]
        typer.echo(f"{row['key_id']}  {row['name']:<20} {','.join(row['powers'])}  {state}")


@keys.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="The key's id.")],
    data: Data = DATA, ledger: Ledger = "",
) -> None:  # fmt: skip
    """End a key at once."""
    from detector.registry import here

    with _registry(data, ledger) as registry:
        registry.registrar.revoke(key_id, BY, here())
    typer.echo(f"{key_id}: 吊销 revoked")


@audits.command("verify")
def verify_audit(
    place: Annotated[str, typer.Argument(help="A data folder, or postgresql://…")],
    json: Json = False,
) -> None:
    """Walk the chain of the audit and compare it with the journal; exit 1 names what differs."""
    from detector.accounts.audit import verify
    from detector.places import POSTGRES

    address, data = (place, DATA) if place.startswith(POSTGRES) else ("", Path(place))
    shown = "database" if address else place  # an address may hold a password
    with _registry(data, address) as registry:
        rows, fault = verify(registry.audit, registry.witness.frame_hash)
    if json:
        print_json({"sound": not fault, "rows": rows, "fault": fault})
    else:
        typer.echo(f"{shown}: {fault}" if fault else f"{shown}: sound: {rows:,} rows")
    if fault:
        raise typer.Exit(CHECK_FOUND)


@audits.command("list")
def list_audit(
    actor: Annotated[str, typer.Option(help="Of whom.")] = "",
    act: Annotated[str, typer.Option(help="How the act begins.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    data: Data = DATA, ledger: Ledger = "", json: Json = False,
) -> None:  # fmt: skip
    """What was done, the last first."""
    from detector.accounts.audit import Wanted
    from detector.values import iso_time

    with _registry(data, ledger) as registry:
        lines = registry.audit.lines(Wanted(actor=actor, act=act, limit=limit))
    told: list[dict[str, Any]] = [
        {"number": one.number, "at": iso_time(one.at_us), "actor": one.actor, "role": one.role,
         "act": one.act, "object": one.object, "outcome": one.outcome, "address": one.address,
         "detail": one.detail, "ledger_seq": one.ledger_seq, "hash": one.hash.hex()}
        for one in lines
    ]  # fmt: skip
    if json:
        print_json({"items": told})
        return
    for row in told:
        typer.echo(
            f"{row['number']:>6}  {row['at'][:19]}  {row['actor']:<16} {row['act']:<18}"
            f" {row['object']}  {row['outcome']}"
        )


@contextmanager
def _registry(data: Path, ledger: str) -> Iterator[Registry]:
    """The accounts of a place; refusals are said in their own words."""
    from detector.accounts import Refused
    from detector.ledger import LedgerError
    from detector.registry import Registry

    try:
        with closing(Registry(ledger, data)) as registry:
            yield registry
    except (Refused, LedgerError) as fault:
        refuse(str(fault))


def _known_role(role: str) -> None:
    from detector.web.who import GIVEN

    if role not in GIVEN:
        refuse(f"--role {role}: write one of {', '.join(GIVEN)}")


def _codes(text: str) -> tuple[str, ...] | None:
    return tuple(sorted({one.strip() for one in text.split(",")} - {""})) or None


def _shown(departments: Any) -> str:
    return "全区 all" if departments is None else ",".join(departments)


def _first_line() -> str:
    given = sys.stdin.readline().rstrip("\n")
    if not given:
        refuse("--password-stdin: nothing came on stdin")
    return given


def _say_secret(told: dict[str, Any], name: str, secret: str, json: bool) -> None:
    """A secret alone on stdout, for pipes; what it is for on stderr."""
    if json:
        print_json(told | ({name: secret} if secret else {}))
    else:
        typer.echo(", ".join(f"{k}: {v}" for k, v in told.items()), err=True)
        if secret:
            typer.echo(secret)
