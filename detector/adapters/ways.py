"""Opens channels: the one place that knows which adapter serves which kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from detector.channels import ChannelSettings
from detector.delivery import Channel


class NoSecret(Exception):
    """A channel names a secret that the environment does not hold; the message says which."""


def open_channel(
    one: ChannelSettings, secret: Callable[[str], str | None], log: Callable[..., Any]
) -> Channel:
    """The adapter of a channel. Raises `NoSecret`."""

    def held(key: str, needed: bool = True) -> str:
        name = one.settings.get(key, "")
        told = secret(name) if name else ""
        if not told and (needed or name):
            raise NoSecret(f"channel {one.name}: {key}: the environment has no {name or 'secret'}")
        return told or ""

    if one.kind == "log":
        from detector.adapters.log_channel import LogOut

        return LogOut(one.name, log)
    if one.kind == "sms_http":
        from detector.adapters.sms_http import SmsHttp

        return SmsHttp(one.name, one.settings, held("secret_env", needed=False))
    if one.kind == "smpp":
        from detector.adapters.smpp import SmppOut

        return SmppOut(one.name, one.settings, held("password_env"))
    if one.kind == "webhook":
        from detector.adapters.webhook import WebhookOut

        names = one.settings["secrets_env"]
        keys = [told for name in names if (told := secret(name))]
        if not keys:
            raise NoSecret(f"channel {one.name}: the environment has none of {', '.join(names)}")
        return WebhookOut(one.name, one.settings, keys)
    from detector.adapters.robots import RobotOut

    token, key = held("token_env"), held("secret_env", needed=False)
    return RobotOut(one.name, one.kind, one.settings, token, key)
