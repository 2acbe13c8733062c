"""The server of a vendor's chat robots as a process."""

from __future__ import annotations

from gateways.process import Gateway


class RobotServer(Gateway):
    """`kind`: dingtalk, wecom or feishu; it checks what the vendor says that it checks."""

    def __init__(self, kind: str) -> None:
        super().__init__("http_gateway.py", kind)
