"""The machine itself: its clocks and the room on its disk."""

from __future__ import annotations

import ctypes
import gc
import hashlib
import os
import platform
import secrets
import time
from contextlib import suppress
from pathlib import Path

# Options of glibc's mallopt, and what each is set to.
_KEPT = {
    -8: 1,  # arenas: what one thread lets go another can have
    -3: 32 << 20,  # bytes from which on memory is mapped for one object, and goes with it
    -1: 1 << 30,  # free bytes at the end before any are given back
    -2: 16 << 20,  # bytes that are asked for at once
}


def wall_us() -> int:
    """The wall clock, µs UTC; it may jump."""
    return time.time_ns() // 1_000


def chance(size: int) -> str:
    """So many random bytes, in hex."""
    return secrets.token_hex(size)


def secret(name: str) -> str | None:
    """A secret of the environment: the variable, else the file that `<name>_FILE` names; or of the
    file at a path. Raises `OSError` and `UnicodeError` where such a file cannot be read."""
    if name.startswith("/"):
        return Path(name).read_text("utf-8").strip()
    told = os.environ.get(name)
    path = os.environ.get(f"{name}_FILE")
    return Path(path).read_text("utf-8").strip() if told is None and path else told


def link_secret(folder: Path) -> bytes:
    """What signs links: `ORIOLE_LINK_SECRET`, else a file of the folder, made at a first start."""
    told = secret("ORIOLE_LINK_SECRET")
    if told:
        return hashlib.sha256(told.encode()).digest()
    path = folder / "links.key"
    if not path.exists():
        half = folder / f"links.{secrets.token_hex(8)}"
        handle = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(handle, secrets.token_bytes(32))
            os.fsync(handle)
            with suppress(FileExistsError):  # another process came first: its secret is ours
                os.link(half, path)
        finally:
            os.close(handle)
            half.unlink()
    return path.read_bytes()


def name() -> str:
    """What other machines call this one."""
    return platform.node()


def seconds() -> float:
    """A clock that only goes forward, for measuring."""
    return time.perf_counter()


def room(folder: Path, bytes_min: int) -> bool:
    """Is at least so much room left on the folder's disk."""
    told = os.statvfs(folder)
    return told.f_bavail * told.f_frsize >= bytes_min


def calm_collector() -> None:
    """Let the collector of cycles rest: columns hold none, and it looks at every object again."""
    gc.freeze()
    gc.set_threshold(200_000, 50, 100)


def keep_memory() -> None:
    """What was let go of stays with the process: a page that comes anew costs more than all that is
    written on it, above all in a virtual machine. Where there is no glibc nothing is set."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        for option, value in _KEPT.items():
            libc.mallopt(option, value)
