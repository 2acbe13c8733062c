"""Logs: one JSON object a line to stderr, with phones and identity numbers masked."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_PRIVATE = re.compile(r"(?<!\d)(?:\d{17}[\dXx]|1[3-9]\d{9})(?!\d)")


def mask(text: str) -> str:
    """A text with all but the first three and last two figures of private numbers hidden."""
    return _PRIVATE.sub(lambda m: m[0][:3] + "*" * (len(m[0]) - 5) + m[0][-2:], text)


def _masked(value: Any) -> Any:
    if value is None or isinstance(value, bool | float | int):
        hidden = mask(str(value))
        return value if hidden == str(value) else hidden
    if isinstance(value, dict):
        return {mask(str(key)): _masked(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set):
        return [_masked(one) for one in value]
    return mask(value if isinstance(value, str) else repr(value))


def hide(logger: Any, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor that masks every text of a log line, and makes texts of all that is none."""
    notes = ("_record", "_from_structlog")  # structlog's own, taken out later
    return {key: one if key in notes else _masked(one) for key, one in event.items()}


def configure(level: int = logging.INFO) -> structlog.typing.FilteringBoundLogger:
    """Set up logging for this process, that of libraries included; the service's logger."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        hide,
    ]
    render = structlog.processors.JSONRenderer(ensure_ascii=False)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # httpx2 would tell whole addresses, and those of robots hold their keys.
    for quiet in ("uvicorn", "uvicorn.error", "asyncio", "alembic", "httpx2"):
        logging.getLogger(quiet).setLevel(max(level, logging.WARNING))
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    return structlog.get_logger("oriole")
