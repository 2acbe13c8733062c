"""Oriole 黄雀: a real-time detector for electronic supervision (电子监察)."""

__version__ = "0.1.0"
