"""Bounds of the web: every number that keeps one client from costing the others."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True)
class Settings:
    """Limits of bodies, questions and streams."""

    body_bytes_max: int = 8 * MIB
    body_timeout_s: float = 30.0  # for the whole body
    uploads_max: int = 64  # bodies being read at once
    linger_s: float = 2.0  # how long the rest of a refused body is thrown away, so the answer lands
    any_host: bool = False  # a proxy in front asks who comes
    hosts: tuple[str, ...] = ()  # names of this server besides those of the loopback
    still_s: float = 30.0  # how often it is asked whether a viewer may still see the stream
    viewers_max: int = 2_000
    viewer_queue_max: int = 256  # frames that a viewer may be behind
    viewer_queue_bytes_max: int = 8 * MIB
    ring_max: int = 2_000  # events kept for those who come back
    catch_up_max: int = 10_000  # events read from the ledger for those who come back later
    poll_s: float = 1.0  # how often it is asked whether the ledger holds what was not heard
    reach_s: float = 10.0  # how long a viewer waits who has seen more than was heard here
    heartbeat_s: int = 15
    window_s_min: float = 0.01  # events within it are joined into one frame
    window_s_max: float = 0.2
    window_viewer_s: float = 0.0002  # what each viewer adds to the window
    window_bytes_min: int = 64 * 1024  # of one frame, however many viewers
    window_bytes_max: int = 32 * MIB
    window_bytes_all: int = 64 * MIB  # of one frame times its viewers
