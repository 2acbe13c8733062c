"""E-mail over a relay (smtplib, in a thread): TLS, and a Message-ID that a retry bears again.

A relay that takes a message has not delivered it: that is `sent`, and no receipt follows.
"""

from __future__ import annotations

import asyncio
import hashlib
import smtplib
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any

from detector.delivery import Outcome, Outgoing, Receipt


class MailOut:
    """One relay."""

    def __init__(self, name: str, settings: Mapping[str, Any], password: str) -> None:
        self.name, self._how, self._password = name, settings, password
        self._trust = ssl.create_default_context(cafile=settings.get("ca_file") or None)

    async def send(self, message: Outgoing) -> Outcome:
        """Try once; see `Channel.send`."""
        try:
            letter = letter_of(message, self._how["from"])
        except ValueError:
            return Outcome("refused", "no_address", "the address is none")
        return await asyncio.to_thread(self._post, letter)

    def _post(self, letter: EmailMessage) -> Outcome:
        """Hand a letter over. What breaks before the relay has all of it was not taken."""
        try:
            relay = self._relay()
        except smtplib.SMTPAuthenticationError as fault:
            return Outcome("retry", str(fault.smtp_code), "the relay does not know us")
        except (OSError, smtplib.SMTPException) as fault:  # ssl.SSLError is an OSError
            return Outcome("retry", "no_connection", type(fault).__name__)
        try:
            relay.send_message(letter)
            return Outcome("sent", "250")
        except smtplib.SMTPRecipientsRefused as fault:
            [(code, _)] = fault.recipients.values()
            return _answered(code)
        except smtplib.SMTPServerDisconnected:
            return Outcome("unknown", "disconnected", "the relay hung up")
        except smtplib.SMTPResponseException as fault:
            return _answered(fault.smtp_code)
        except (smtplib.SMTPNotSupportedError, UnicodeError):
            return Outcome("refused", "no_utf8", "the relay takes no such address")
        except OSError as fault:
            return Outcome("unknown", "no_answer", type(fault).__name__)
        finally:
            relay.close()

    def _relay(self) -> smtplib.SMTP:
        how, tls = self._how, self._how.get("tls", "starttls")
        where, timeout_s = (how["host"], how["port"]), how.get("timeout_s", 10)
        relay = (
            smtplib.SMTP_SSL(*where, timeout=timeout_s, context=self._trust)
            if tls == "tls"
            else smtplib.SMTP(*where, timeout=timeout_s)
        )
        try:
            if tls == "starttls":
                relay.starttls(context=self._trust)
            if how.get("user"):
                relay.login(how["user"], self._password)
        except (OSError, smtplib.SMTPException):
            relay.close()
            raise
        return relay

    def receipts(self, body: bytes, headers: dict[str, str]) -> list[Receipt]:
        """A relay says nothing later that we read."""
        raise ValueError("mail has no callback")

    async def close(self) -> None:
        """Nothing is held: each letter has a connection of its own."""


def letter_of(message: Outgoing, sender: str) -> EmailMessage:
    """A message as a letter. Raises `ValueError` for an address that is none."""
    if message.to.count("@") != 1 or any(c in message.to for c in " ,;<>\r\n"):
        raise ValueError("no address")
    letter = EmailMessage(policy=SMTP)
    letter["From"], letter["To"] = sender, message.to
    letter["Subject"] = " ".join(message.subject.split())
    letter["Date"] = format_datetime(datetime.fromtimestamp(message.at_us // 1_000_000, UTC))
    key = hashlib.sha256(message.message_id.encode()).hexdigest()[:40]
    letter["Message-ID"] = f"<{key}@{sender.rpartition('@')[2]}>"
    letter["X-Oriole-Message"] = message.message_id
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content(message.text)
    return letter


def _answered(code: int) -> Outcome:
    """4xx: later, as mail has it; 5xx: never."""
    return Outcome("retry" if code < 500 else "refused", str(code))
