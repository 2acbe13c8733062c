"""Signed links (签名链接): one notice, one recipient, without an account, until the notice ends.

A link names a notice, a person and the issue of the notice; its signature is an HMAC with the
service's secret. A notice that is issued anew makes older links stale. Each form of the page bears
a name of its own, which becomes the id of the act: sent twice it counts once.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

import msgspec

from detector.adapters.machine import chance

_SIGNATURE = 16
TOKEN_CHARS_MAX = 400


class Link(msgspec.Struct, frozen=True, array_like=True):
    """What a link names."""

    notice_id: str
    person: str
    issues: int


class Links:
    """Makes and reads links by one secret."""

    def __init__(self, secret: bytes, base_url: str = "") -> None:
        self._secret, self.base_url = secret, base_url.rstrip("/")

    def token(self, link: Link) -> str:
        """The link's last part."""
        told = msgspec.msgpack.encode(link)
        return base64.urlsafe_b64encode(told + self._sign(b"link", told)).decode().rstrip("=")

    def url(self, link: Link) -> str:
        """The whole address, "" where the district says none."""
        return f"{self.base_url}/n/{self.token(link)}" if self.base_url else ""

    def read(self, token: str) -> Link | None:
        """What a token names; None where it was not made here."""
        if len(token) > TOKEN_CHARS_MAX:
            return None
        try:
            told = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
            data, signature = told[:-_SIGNATURE], told[-_SIGNATURE:]
            if not hmac.compare_digest(signature, self._sign(b"link", data)):
                return None
            return msgspec.msgpack.decode(data, type=Link)
        except (binascii.Error, ValueError, msgspec.MsgspecError):
            return None

    def form(self, token: str) -> str:
        """A name for one form of the page, to be used once."""
        nonce = chance(12)
        return f"{nonce}{self._sign(b'form', f'{token}{nonce}'.encode()).hex()}"

    def is_form(self, token: str, name: str) -> bool:
        """Was this form given out with the page of this token."""
        nonce, signature = name[:24], name[24:]
        want = self._sign(b"form", f"{token}{nonce}".encode()).hex()
        return hmac.compare_digest(signature.encode(), want.encode())

    def _sign(self, use: bytes, data: bytes) -> bytes:
        return hmac.new(self._secret, use + b"\0" + data, hashlib.sha256).digest()[:_SIGNATURE]
