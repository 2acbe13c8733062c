"""A receiver of webhooks as a process; it takes what the published verifier takes."""

from __future__ import annotations

from pathlib import Path

from gateways.process import Gateway

AUTHORITY = str(Path(__file__).with_name("localhost.pem"))  # who trusts it trusts the receiver


class HookReceiver(Gateway):
    """Over TLS it is `localhost` and nobody else."""

    def __init__(self, tls: bool = False) -> None:
        super().__init__("http_gateway.py", "webhook", *["tls"][: int(tls)])
        if tls:
            self.url = f"https://localhost:{self.port}"
