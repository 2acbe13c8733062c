"""One-time codes (RFC 6238), and recovery codes for who lost what makes them."""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import quote

import pyotp

from detector.accounts import Chance

STEP_S = 30
WINDOW = 1  # steps that a clock may be wrong
RECOVERY_CODES = 10
ISSUER = "Oriole"


def new_secret(chance: Chance) -> str:
    """A secret of 160 bits, as authenticators read it."""
    return base64.b32encode(bytes.fromhex(chance(20))).decode()


def address(secret: str, name: str) -> str:
    """`otpauth://…`: what an authenticator takes."""
    return (
        f"otpauth://totp/{ISSUER}:{quote(name)}?secret={secret}&issuer={ISSUER}"
        f"&algorithm=SHA1&digits=6&period={STEP_S}"
    )


def step_of(secret: str, code: str, now_us: int, after: int) -> int | None:
    """The step whose code this is, later than `after`: a code is taken once. None: it is none."""
    told = code.replace(" ", "")
    if len(told) != 6 or not (told.isascii() and told.isdigit()):
        return None
    now, made, found = now_us // 1_000_000 // STEP_S, pyotp.TOTP(secret), None
    for step in range(now - WINDOW, now + WINDOW + 1):
        same = hmac.compare_digest(made.at(step * STEP_S), told)
        if same and step > after and found is None:
            found = step
    return found


def recovery(chance: Chance) -> list[str]:
    """Fresh recovery codes, to be shown once."""
    return ["-".join(_fours(chance(8))) for _ in range(RECOVERY_CODES)]


def hashed(code: str) -> str:
    """What is kept of a recovery code; case, blanks and hyphens do not count."""
    told = "".join(c for c in code.casefold() if c.isalnum())
    return hashlib.sha256(told.encode()).hexdigest()


def _fours(text: str) -> list[str]:
    return [text[at : at + 4] for at in range(0, len(text), 4)]
