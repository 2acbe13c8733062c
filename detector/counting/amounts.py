"""Amounts in words: working time, money, counts, in Chinese and in English."""

from __future__ import annotations

_TIMES = ((3_600, "小时", "h"), (60, "分钟", "min"), (1, "秒", "s"))


def amount(value: int, unit: str, more: str = "") -> tuple[str, str]:
    """A whole number of `s`, `fen`, or of anything, in (Chinese, English); `more` stands behind a
    count that is only known to be so large."""
    if unit == "fen":
        return f"{value / 100:,.0f} 元", f"{value / 100:,.0f} yuan"
    if unit != "s":
        return f"{value:,}{more}", f"{value:,}{more}"
    size, zh, en = next((t for t in _TIMES if value >= t[0]), _TIMES[-1])
    number = f"{value / size:,.1f}".removesuffix(".0")
    return f"{number} {zh}", f"{number} {en}"
