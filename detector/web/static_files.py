"""Our own files for browsers (静态文件): each read once, packed where a browser takes it so.

What has a version in its address may be kept for a year without asking: files of others lie in
folders named after their version, and ours are asked for below the hash of all of them
(`/static/3f2a91bc04de/board.js`), so that a module's relative imports bear it, too. Any other
address is asked for again each time, and answered with 304 while nothing has changed. A file that
is edited is seen after a restart.
"""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from detector.web.problems import Problem, answer

STATIC = Path(__file__).resolve().parent / "static"
KINDS = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".html": "text/html; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
}
_PACKED = (".css", ".js", ".json", ".html", ".svg")
_VERSIONED, _FOREIGN = "vendor/", ("vendor/", "swagger/")
PACK_BYTES_MIN = 512
_FOREVER = "public, max-age=31536000, immutable"
_ASK = "no-cache"


class Asset(NamedTuple):
    """A file as it is sent: plain, and packed where that is worth it."""

    kind: str
    plain: bytes
    packed: bytes | None
    tag: str


class StaticFiles:
    """An ASGI application over the files of a folder; no other name leads anywhere."""

    def __init__(self, folder: Path = STATIC) -> None:
        self._paths = {
            path.relative_to(folder).as_posix(): path
            for path in sorted(folder.rglob("*"))
            if path.suffix in KINDS and path.is_file()
        }
        self._held: dict[str, Asset] = {}
        self.version = self._hash()

    def _hash(self) -> str:
        told = hashlib.sha256()
        for name, path in self._paths.items():
            if not name.startswith(_FOREIGN):
                told.update(b"%b\0%b" % (name.encode(), hashlib.sha256(path.read_bytes()).digest()))
        return told.hexdigest()[:12]

    def url(self, name: str) -> str:
        """The address of a file, with a version in it. Raises `KeyError` where there is none."""
        if name not in self._paths:
            raise KeyError(name)
        before = "" if name.startswith(_VERSIONED) else f"{self.version}/"
        return f"/static/{before}{name}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._answer(Request(scope))(scope, receive, send)

    def _answer(self, request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return answer(Problem(405, "files_only_read"), request.scope)
        name = request.url.path.removeprefix(request.scope.get("root_path", "")).lstrip("/")
        own = name.removeprefix(f"{self.version}/")
        known = own if own in self._paths else None
        if known is None:
            return answer(Problem(404, "no_file"), request.scope)
        asset = self._asset(known)
        packed = asset.packed is not None and _takes_gzip(request.headers.get("accept-encoding"))
        tag = f'"{asset.tag}{"-gz" if packed else ""}"'
        headers = {
            "ETag": tag,
            "Cache-Control": _FOREVER if own != name or own.startswith(_VERSIONED) else _ASK,
            "Content-Type": asset.kind,
        }
        if asset.packed is not None:
            headers["Vary"] = "Accept-Encoding"
        if tag in _tags(request.headers.get("if-none-match", "")):
            return Response(None, 304, headers)
        if packed:
            headers["Content-Encoding"] = "gzip"
        return Response(asset.packed if packed else asset.plain, 200, headers)

    def _asset(self, name: str) -> Asset:
        held = self._held.get(name)
        if held is None:
            held = self._held[name] = _read(self._paths[name])
        return held


def _read(path: Path) -> Asset:
    plain, beside = path.read_bytes(), path.with_name(path.name + ".gz")
    packed = None
    if path.suffix in _PACKED and len(plain) >= PACK_BYTES_MIN:
        packed = beside.read_bytes() if beside.is_file() else gzip.compress(plain, 9, mtime=0)
    return Asset(KINDS[path.suffix], plain, packed, hashlib.sha256(plain).hexdigest()[:20])


def _takes_gzip(told: str | None) -> bool:
    """Whether a browser takes packed files: named, and not with a weight of nothing."""
    for one in (told or "").lower().split(","):
        name, _, weight = one.partition(";")
        if name.strip() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _tags(told: str) -> set[str]:
    return {one.strip().removeprefix("W/") for one in told.split(",")}


@cache
def static_files() -> StaticFiles:
    """Those of this installation; one for all applications of the process."""
    return StaticFiles()


def static_url(name: str) -> str:
    """The address of one of them, for templates."""
    return static_files().url(name)
