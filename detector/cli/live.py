"""`oriole run`: the whole system in one process."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from detector.cli.common import (
    CHECK_FOUND,
    KEPT_DAYS,
    Keep,
    Scan,
    example_county,
    refuse,
    spoken_faults,
)
from detector.cli.ledger import DATA, Ledger

if TYPE_CHECKING:
    from detector.serve import House, Ready, Settings
    from detector.web.api import Web


PublicUrl = Annotated[
    str, typer.Option(envvar="ORIOLE_PUBLIC_URL", help="By which browsers come: https://…")
]


class Clock(StrEnum):
    """Where time comes from."""

    wall = "wall"
    events = "events"


def run(
    district: Annotated[Path | None, typer.Option(help="The district's folder.")] = None,
    data: Annotated[Path | None, typer.Option(help="Where the ledger is kept.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes a free one.")] = 8000,
    clock: Annotated[Clock, typer.Option(help="events: as they arrive.")] = Clock.wall,
    snapshot_inputs: Annotated[
        int, typer.Option(min=1, help="Inputs between two snapshots of the state.")
    ] = 2_000_000,
    body_timeout_s: Annotated[
        float, typer.Option(min=0.1, envvar="ORIOLE_BODY_TIMEOUT_S", help="For one body to come.")
    ] = 30.0,
    ledger: Ledger = "",
    deliver: Annotated[
        bool, typer.Option(help="Deliver notices from within; else `oriole deliver` does.")
    ] = True,
    scan_command: Scan = "",
    attachments_days: Keep = KEPT_DAYS,
    demo: Annotated[bool, typer.Option("--demo", help="Feed it a simulated county.")] = False,
    speed: Annotated[float, typer.Option(min=0.1, max=10_000, help="Of the demo's clock.")] = 120,
    public_url: PublicUrl = "",
) -> None:
    """Receive events over HTTP, judge them, and show what was found."""
    from detector.serve import Settings

    need_accounts(host, public_url, "" if demo else ledger, data or DATA)
    if demo and (district or clock is Clock.events):
        refuse("--demo: has a district and a clock of its own; leave --district and --clock out")
    folder = district or example_county()
    if not demo:
        settings = Settings(
            folder, data or DATA, host, port, clock is Clock.wall,
            snapshot_inputs=snapshot_inputs, body_timeout_s=body_timeout_s,
            ledger=ledger, deliver=deliver, scan_command=scan_command, public_url=public_url,
            attachments_days=attachments_days,
        )  # fmt: skip
        raise typer.Exit(_serve(settings))
    with TemporaryDirectory(prefix="oriole-demo-") as fresh:
        from detector.demo import learning_county

        home = data or Path(fresh)
        folder = learning_county(folder, home / "district")
        settings = Settings(folder, home, host, port, False, public_url=public_url)
        raise typer.Exit(_demo(settings, speed))


def need_accounts(host: str, public_url: str, ledger: str, data: Path) -> None:
    """Refuse to listen where somebody could come and nobody asks who it is."""
    from detector.web.guard import is_loopback

    if is_loopback(host):
        return
    from detector.ledger import LedgerError
    from detector.registry import need_accounts as need

    try:
        need(host, public_url, ledger, data)
    except LedgerError as fault:
        refuse(str(fault))


def _serve(settings: Settings, show: Ready | None = None) -> int:
    """Serve, with mistakes said in their own words; the exit code."""
    import logging
    import sys

    from detector.adapters.logs import configure
    from detector.ledger import LedgerError
    from detector.serve import run as serve

    quiet = show is not None and sys.stdout.isatty()  # a picture is on the terminal
    log = configure(logging.WARNING if quiet else logging.INFO)
    with spoken_faults():
        try:
            code = serve(settings, log.info, show or (lambda house, web, url: lambda: None))
        except LedgerError as fault:
            refuse(str(fault))
        except OSError as fault:
            place = f"{settings.host}:{settings.port}"
            refuse(f"{place}: cannot be listened on: {fault.strerror or fault}")
    return CHECK_FOUND if code else 0


def _demo(settings: Settings, speed: float) -> int:
    from detector.adapters.machine import seconds
    from detector.cli.screen import Screen
    from detector.demo import Feeder, make_county
    from detector.demo_trial import Pair
    from detector.district import load_district

    typer.echo("…", err=True)
    county = make_county(load_district(settings.district))

    def show(house: House, web: Web, url: str) -> Callable[[], None]:
        assert web.switching is not None
        pair = Pair(web.switching, house.log)
        feeder = Feeder(county, house.runner, speed, seconds, pair)
        house.runner.notice_listeners.append(feeder.clerks.heard)
        screen = Screen(house.runner, feeder, url, seconds)
        feeder.start()
        screen.start()

        def end() -> None:
            feeder.stop()
            screen.stop()

        return end

    return _serve(settings, show)
