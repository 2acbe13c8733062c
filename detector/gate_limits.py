"""`[gate]` of district.toml: how long who asks beforehand waits, and what is answered where nobody
can judge in time (事前查询)."""

from __future__ import annotations

from dataclasses import dataclass

from detector.tomlfile import Table

ALLOW, DENY = ANSWERS = ("allow", "deny")
TIMEOUT_MS = (1, 10_000)


@dataclass(frozen=True, slots=True)
class GateLimits:
    """What a district says of `POST /gate`."""

    on_failure: str = ALLOW
    timeout_ms: int = 200

    @property
    def allows(self) -> bool:
        """The answer where nobody could judge."""
        return self.on_failure == ALLOW


def read_gate(root: Table) -> GateLimits:
    """From district.toml: `[gate]`, and `gate_on_failure`, another name of its `on_failure`."""
    usual, table = GateLimits(), root.table("gate")
    both = table.take("on_failure") is not None and root.take("gate_on_failure") is not None
    short = root.choice("gate_on_failure", ANSWERS, usual.on_failure)
    told = table.choice("on_failure", ANSWERS, short)
    if both and told != short:
        root.fault("gate_on_failure", "contradicts gate.on_failure", "remove one of the two")
    limits = GateLimits(told, table.whole("timeout_ms", *TIMEOUT_MS) or usual.timeout_ms)
    table.close()
    return limits
