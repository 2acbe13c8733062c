"""Opens channels: the one place that knows which adapter serves which kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from detector.channels import ChannelSettings
from detector.delivery import Channel

Secret = Callable[[str], str | None]  # the name of a variable, or the path of a file


class NoSecret(Exception):
    """A channel's secret, or what it trusts, is missing or unfit; the message says which."""


class _Held:
    """The secrets of one channel."""

    def __init__(self, name: str, how: Mapping[str, Any], secret: Secret) -> None:
        self.name, self._how, self._secret = name, how, secret

    def one(self, key: str, needed: bool = True, how: Mapping[str, Any] | None = None) -> str:
        """The secret that `<key>_env` or `<key>_file` names; "" where none is named."""
        how = self._how if how is None else how
        place = how.get(f"{key}_env") or how.get(f"{key}_file") or ""
        told = self._at(place) if place else ""
        if not told and (needed or place):
            raise NoSecret(f"channel {self.name}: {key}: {place or 'the secret'} is not there")
        return told

    def many(self, key: str) -> list[str]:
        """The secrets of a list of variables, as many as are there."""
        names = self._how[f"{key}_env"]
        told = [one for name in names if (one := self._at(name))]
        if not told:
            raise NoSecret(f"channel {self.name}: {key}: none of {', '.join(names)} is there")
        return told

    def _at(self, place: str) -> str:
        try:
            return self._secret(place) or ""
        except (OSError, UnicodeError):
            raise NoSecret(f"channel {self.name}: {place} cannot be read") from None


def open_channel(one: ChannelSettings, secret: Secret, log: Callable[..., Any]) -> Channel:
    """The adapter of a channel. Raises `NoSecret`."""
    held = _Held(one.name, one.settings, secret)
    try:
        return _OPEN[one.kind](one, held, log)
    except (OSError, ValueError) as fault:  # a list of authorities, a secret that is no base64
        raise NoSecret(f"channel {one.name}: {type(fault).__name__} at its opening") from None


def _log(one: ChannelSettings, held: _Held, log: Callable[..., Any]) -> Channel:
    from detector.adapters.log_channel import LogOut

    return LogOut(one.name, log)


def _sms_http(one: ChannelSettings, held: _Held, log: Callable[..., Any]) -> Channel:
    from detector.adapters.sms_http import SmsHttp

    word = held.one("word", needed=False, how=one.settings.get("receipts", {}))
    return SmsHttp(one.name, one.settings, held.one("secret", needed=False), word)


def _smpp(one: ChannelSettings, held: _Held, log: Callable[..., Any]) -> Channel:
    from detector.adapters.smpp import SmppOut

    return SmppOut(one.name, one.settings, held.one("password"))


def _webhook(one: ChannelSettings, held: _Held, log: Callable[..., Any]) -> Channel:
    from detector.adapters.webhook import WebhookOut

    return WebhookOut(one.name, one.settings, held.many("secrets"))


def _robot(one: ChannelSettings, held: _Held, log: Callable[..., Any]) -> Channel:
    from detector.adapters.robots import RobotOut

    token, secret = held.one("token"), held.one("secret", needed=False)
    return RobotOut(one.name, one.kind, one.settings, token, secret)


def _mail(one: ChannelSettings, held: _Held, log: Callable[..., Any]) -> Channel:
    from detector.adapters.mail import MailOut

    return MailOut(one.name, one.settings, held.one("password", needed=False))


def _apprise(one: ChannelSettings, held: _Held, log: Callable[..., Any]) -> Channel:
    from detector.adapters.apprise_channel import AppriseOut

    return AppriseOut(one.name, held.many("urls"))


_OPEN: dict[str, Callable[[ChannelSettings, _Held, Callable[..., Any]], Channel]] = {
    "log": _log, "sms_http": _sms_http, "smpp": _smpp, "webhook": _webhook, "dingtalk": _robot,
    "wecom": _robot, "feishu": _robot, "mail": _mail, "apprise": _apprise,
}  # fmt: skip
