"""`oriole worker` and `oriole serve`: the parts of a scale-out."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from detector.cli.common import CHECK_FOUND, refuse, spoken_faults
from detector.cli.live import Clock

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
) -> None:  # fmt: skip
    """Take events for the workers, and answer what is asked, until a signal."""
    from detector.adapters.logs import configure
    from detector.front import Settings, run
    from detector.ledger import LedgerError
    from detector.web.guard import is_loopback

    if not is_loopback(host) and not behind_proxy:
        refuse(
            f"--host {host}: only loopback is listened on until there are accounts;"
            " put a proxy that asks who comes in front, and say --behind-proxy"
        )
    settings = Settings(
        ledger, broker, data, redis, host, port, clock is Clock.wall, behind_proxy=behind_proxy
    )
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
