"""How often a key may ask: a bucket of tokens a key, filled steadily, a minute's worth at most.

Buckets are of one process: several servers give each their own.
"""

from __future__ import annotations

KEYS_MAX = 10_000


class Buckets:
    """All buckets; seconds of a clock that only goes forward are given."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[float, float]] = {}  # (tokens, when they were that many)

    def take(self, key: str, per_minute: int, now_s: float) -> int:
        """Take a token; 0, or the seconds until there is one."""
        tokens, at = self._held.get(key, (float(per_minute), now_s))
        tokens = min(per_minute, tokens + (now_s - at) * per_minute / 60)
        if tokens < 1:
            self._held[key] = (tokens, now_s)
            return max(1, round((1 - tokens) * 60 / per_minute + 0.5))
        if len(self._held) >= KEYS_MAX:
            self._held.clear()
        self._held[key] = (tokens - 1, now_s)
        return 0
