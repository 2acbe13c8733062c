"""Logging in at an OIDC provider (统一身份认证): code flow with PKCE and nonce, by authlib.

What may be told apart in the answer of a provider is checked here: issuer, audience, nonce, times
and signature (RS256 alone) of the ID token. Which account that is, is the store's affair.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import msgspec
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from detector.adapters.machine import chance, secret
from detector.ledger import LedgerError

FILE = "oidc.toml"
TIMEOUT_S = 10.0
LEEWAY_S = 60  # by which two clocks may differ
BYTES_MAX = 1 << 20
ALGORITHMS = ["RS256"]
_KEYS = {"issuer", "client_id", "secret", "claim", "scope"}


class OidcFault(Exception):
    """The provider did not say who somebody is; the text is for the log, and names no secret."""


class Begun(msgspec.Struct, frozen=True):
    """What a browser keeps while it is at the provider."""

    state: str
    nonce: str
    verifier: str
    going: str
    back: str  # to which address it was to come back


class Provider:
    """One provider, as `oidc.toml` names it."""

    def __init__(self, issuer: str, client_id: str, secret: str, claim: str, scope: str) -> None:
        self.issuer, self.client_id, self.claim = issuer, client_id, claim
        self._secret, self._scope = secret, scope

    def begin(self, back: str, going: str) -> tuple[str, Begun]:
        """Where the browser is sent, and what it keeps. Raises `OidcFault`."""
        begun = Begun(chance(16), chance(16), chance(32), going, back)
        with self._client(back) as client:
            found = self._found(client)
            url, _ = client.create_authorization_url(
                found["authorization_endpoint"], state=begun.state, nonce=begun.nonce,
                code_verifier=begun.verifier,
            )  # fmt: skip
        return str(url), begun

    def end(self, begun: Begun, told: dict[str, str], now_s: int) -> str:
        """What the provider calls whoever came back with these parameters. Raises `OidcFault`."""
        if told.get("iss", self.issuer) != self.issuer:
            raise OidcFault("the answer is of another issuer")
        if "code" not in told:
            raise OidcFault("the provider gave no code")
        with self._client(begun.back) as client:
            found = self._found(client)
            try:
                token = client.fetch_token(
                    found["token_endpoint"], code=told["code"], code_verifier=begun.verifier,
                    grant_type="authorization_code",
                )  # fmt: skip
                keys = KeySet.import_key_set(_json(client, found["jwks_uri"]))
                claims = jwt.decode(token["id_token"], keys, algorithms=ALGORITHMS).claims
                _wanted(self, begun, now_s).validate(claims)
            except (OAuthError, JoseError, httpx2.HTTPError, KeyError, ValueError) as fault:
                raise OidcFault(
                    f"the provider's answer is refused: {type(fault).__name__}"
                ) from None
        value = claims.get(self.claim)
        if not isinstance(value, str) or not value:
            raise OidcFault(f"the ID token holds no {self.claim}")
        return value

    def _client(self, back: str) -> OAuth2Client:
        return OAuth2Client(
            self.client_id, self._secret, scope=self._scope, redirect_uri=back,
            code_challenge_method="S256", timeout=TIMEOUT_S, follow_redirects=False,
        )  # fmt: skip

    def _found(self, client: OAuth2Client) -> dict[str, Any]:
        """What the provider says of itself."""
        try:
            told = _json(client, f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
            if told["issuer"] != self.issuer:
                raise OidcFault("the provider says that it is another issuer")
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                if not _safe(told[name]):
                    raise OidcFault(f"the provider's {name} is not https")
        except (httpx2.HTTPError, KeyError, ValueError) as fault:
            raise OidcFault(f"the provider cannot be asked: {type(fault).__name__}") from None
        return told


def _wanted(provider: Provider, begun: Begun, now_s: int) -> jwt.JWTClaimsRegistry:
    return jwt.JWTClaimsRegistry(
        now=now_s, leeway=LEEWAY_S,
        iss={"essential": True, "value": provider.issuer},
        aud={"essential": True, "value": provider.client_id},
        nonce={"essential": True, "value": begun.nonce},
        exp={"essential": True}, iat={"essential": True}, sub={"essential": True},
    )  # fmt: skip


def _json(client: OAuth2Client, url: str) -> Any:
    answer = client.request("GET", url, withhold_token=True)
    answer.raise_for_status()
    if len(answer.content) > BYTES_MAX:
        raise ValueError("too large")
    return answer.json()


def _safe(url: str) -> bool:
    """Is it asked over https, or on this machine."""
    told = urlsplit(url)
    return told.scheme == "https" or told.hostname in ("localhost", "127.0.0.1", "::1")


def load_provider(data: Path) -> Provider | None:
    """The provider that a data folder names, None where it names none. Raises `LedgerError`."""
    path = data / FILE
    if not path.is_file():
        return None
    try:
        told = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeError, tomllib.TOMLDecodeError) as fault:
        raise LedgerError(f"{path}: cannot be read: {fault}") from None
    wrong = sorted(set(told) - _KEYS) + [k for k, v in told.items() if not isinstance(v, str)]
    if wrong:
        raise LedgerError(f"{path}: {wrong[0]}: write texts under {', '.join(sorted(_KEYS))}")
    for name in ("issuer", "client_id", "secret"):
        if not told.get(name):
            raise LedgerError(f"{path}: {name}: is missing")
    if not _safe(told["issuer"]):
        raise LedgerError(f"{path}: issuer: must be https")
    try:
        held = secret(told["secret"])
    except (OSError, UnicodeError):
        held = None
    if not held:
        raise LedgerError(f"{path}: secret: names no variable of the environment, nor a file")
    scope = told.get("scope", "openid")
    return Provider(told["issuer"], told["client_id"], held, told.get("claim", "sub"), scope)
