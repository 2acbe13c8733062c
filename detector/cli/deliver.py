"""`oriole deliver`: delivery apart from the engine."""

from __future__ import annotations

from typing import Annotated

import typer

from detector.cli.common import CHECK_FOUND, refuse, spoken_faults
from detector.cli.ledger import DATA, Data, Ledger

SERVER = "http://127.0.0.1:8000"


def deliver(
    data: Data = DATA,
    server: Annotated[
        str, typer.Option("--server", envvar="ORIOLE_SERVER", help="Where receipts go.")
    ] = SERVER,
    ledger: Ledger = "",
    inside: Annotated[
        str, typer.Option(envvar="ORIOLE_INSIDE", help="HOST:PORT for its health and figures.")
    ] = "",
) -> None:
    """Send what waits in the outbox of a ledger, beside the server that writes it."""
    import signal
    import threading

    from detector.adapters.logs import configure
    from detector.deliver import Settings, run
    from detector.ledger import LedgerError

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with spoken_faults():
        try:
            code = run(Settings(data, server, ledger, inside=inside), configure().info, stop)
        except LedgerError as fault:
            refuse(str(fault))
        except OSError as fault:
            refuse(f"{inside}: cannot be listened on: {fault.strerror or fault}")
    if code:
        raise typer.Exit(CHECK_FOUND)
