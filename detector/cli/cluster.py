"""`oriole worker` and `oriole serve`: the parts of a scale-out."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from detector.cli.common import (
    CHECK_FOUND,
    KEPT_DAYS,
    Json,
    Keep,
    Scan,
    print_json,
    refuse,
    spoken_faults,
)
from detector.cli.live import Clock, PublicUrl, need_accounts

Address = Annotated[str, typer.Option("--ledger", envvar="ORIOLE_LEDGER", help="postgresql://…")]
Broker = Annotated[str, typer.Option(envvar="ORIOLE_BROKER", help="Kafka's HOST:PORT.")]
Redis = Annotated[
    str, typer.Option(envvar="ORIOLE_REDIS", help="redis://…; without it live views are slower.")
]
Home = Annotated[Path, typer.Option("--data", envvar="ORIOLE_DATA", help="For snapshots.")]
DATA = Path("oriole-data")


class Kind(StrEnum):
    """What a worker judges."""

    case = "case"
    operator = "operator"
    department = "department"


def worker(
    shard: Annotated[Kind, typer.Option(help="What it judges.")],
    ledger: Address,
    broker: Broker = "127.0.0.1:9092",
    redis: Redis = "",
    data: Home = DATA,
    inside: Annotated[
        str, typer.Option(envvar="ORIOLE_INSIDE", help="HOST:PORT for metrics and questions.")
    ] = "127.0.0.1:0",
    session_timeout_s: Annotated[
        float, typer.Option(min=1, max=300, help="Silent so long, it is given up.")
    ] = 10.0,
    stall_s: Annotated[
        float, typer.Option(min=1, help="Without progress so long, it ends.")
    ] = 60.0,
) -> None:
    """Judge the partitions of one kind that its group gives it, until a signal."""
    import asyncio
    import signal

    from detector.adapters.kafka import Unreachable
    from detector.adapters.logs import configure
    from detector.ledger import LedgerError
    from detector.worker import Settings, serve

    log = configure().info
    settings = Settings(str(shard), ledger, broker, data, redis, inside, session_timeout_s, stall_s)

    async def work() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        await serve(settings, log, stop)

    with spoken_faults():
        try:
            asyncio.run(work())
        except (LedgerError, Unreachable) as fault:
            typer.echo(str(fault), err=True)
            raise typer.Exit(CHECK_FOUND) from None


def rekey(
    source: Annotated[
        str, typer.Argument(help="A data folder, or postgresql://…; nobody at work.")
    ],
    target: Annotated[str, typer.Argument(help="postgresql://…: an empty, migrated database.")],
    cases: Annotated[int, typer.Option(min=1, max=1_024, help="Shards of cases.")] = 4,
    operators: Annotated[int, typer.Option(min=1, max=1_024, help="Shards of operators.")] = 2,
    broker: Annotated[
        str, typer.Option(envvar="ORIOLE_BROKER", help="Let its topics grow, and go on there.")
    ] = "",
    json: Json = False,
) -> None:
    """Judge a ledger's inputs again in so many shards: from one machine to a cluster, or to more
    partitions. Nothing is sent again; `oriole verify` of both gives one digest."""
    from detector.adapters.kafka import Unreachable
    from detector.ledger import LedgerError
    from detector.rekey import rekey
    from replay.progress import Watch

    try:
        with Watch() as watch:
            told = rekey(
                source, target, (cases, operators), broker,
                lambda done: watch.say("judged", done, None),
            )  # fmt: skip
    except (LedgerError, Unreachable) as fault:
        refuse(str(fault))
    if json:
        print_json(told)
    else:
        typer.echo(f"{told['inputs']:,} inputs in {len(told['frames'])} shards")


def change(
    ledger: Address,
    district: Annotated[Path, typer.Option(help="What judges from here on: its folder.")],
    data: Home = DATA,
    broker: Annotated[
        str, typer.Option(envvar="ORIOLE_BROKER", help="Asked whether anything waits.")
    ] = "",
) -> None:
    """Let another district judge in all shards of a cluster, at one instant; workers stopped."""
    from detector.adapters.kafka import Unreachable
    from detector.ledger import LedgerError
    from detector.rekey import change

    with spoken_faults():
        try:
            names = change(ledger, district, data / "snapshots", broker)
        except (LedgerError, Unreachable) as fault:
            refuse(str(fault))
    typer.echo("changed: " + ", ".join(names) if names else "nothing differs")


def serve(
    ledger: Address,
    broker: Broker = "127.0.0.1:9092",
    redis: Redis = "",
    data: Home = DATA,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes a free one.")] = 8000,
    clock: Annotated[Clock, typer.Option(help="events: as they arrive.")] = Clock.wall,
    behind_proxy: Annotated[
        bool,
        typer.Option(
            "--behind-proxy", envvar="ORIOLE_BEHIND_PROXY",
            help="A proxy that asks who comes stands in front: listen on any address.",
        ),
    ] = False,
    scan_command: Scan = "",
    attachments_days: Keep = KEPT_DAYS,
    public_url: PublicUrl = "",
) -> None:  # fmt: skip
    """Take events for the workers, and answer what is asked, until a signal."""
    from detector.adapters.logs import configure
    from detector.front import Settings, run
    from detector.ledger import LedgerError

    if not behind_proxy:
        need_accounts(host, public_url, ledger, data)
    settings = Settings(
        ledger, broker, data, redis, host, port, clock is Clock.wall, behind_proxy=behind_proxy,
        scan_command=scan_command, public_url=public_url, attachments_days=attachments_days,
    )  # fmt: skip
    with spoken_faults():
        try:
            code = run(settings, configure().info)
        except LedgerError as fault:
            typer.echo(str(fault), err=True)
            raise typer.Exit(CHECK_FOUND) from None
        except OSError as fault:
            refuse(f"{host}:{port}: cannot be listened on: {fault.strerror or fault}")
    if code:
        raise typer.Exit(CHECK_FOUND)
