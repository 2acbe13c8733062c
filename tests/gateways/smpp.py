"""An SMPP 3.4 gateway as a process."""

from __future__ import annotations

from gateways.process import Gateway


class SmppGateway(Gateway):
    """What it does is told by the text of a message: see `smpp_gateway.py`. `deaf`: it takes
    connections and never lets anybody bind, as after a wrong password."""

    def __init__(self, deaf: bool = False) -> None:
        super().__init__("smpp_gateway.py", *["deaf"][: int(deaf)])
