"""Printing a document: HTML in, PDF out, the same bytes for the same page.

weasyprint is an extra, and wants Pango and Chinese fonts of the system. It is loaded when the first
page is printed (about a second). Whatever the page says, it reads no file and calls no address.
"""

from __future__ import annotations

from typing import Any

INSTALL = (
    'pip install "oriole[pdf]", and of the system (Debian, Ubuntu): apt-get install '
    "libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-noto-cjk"
)


class NoPrinter(RuntimeError):
    """What prints is not installed; the message says what to install."""


def pdf(html: str) -> bytes:
    """The page as PDF. Raises `NoPrinter` where weasyprint or a library of it is missing."""
    weasyprint = _printer()
    fetcher = weasyprint.urls.URLFetcher(allowed_protocols=["data"])
    document = weasyprint.HTML(string=html, url_fetcher=fetcher, media_type="print")
    told: bytes = document.write_pdf()
    return told


def _printer() -> Any:
    try:
        import weasyprint
        import weasyprint.urls
    except ImportError as fault:
        raise NoPrinter(f"weasyprint is not installed: {INSTALL}") from fault
    except OSError as fault:  # a shared library that it loads
        raise NoPrinter(f"a library of the system is missing ({fault}): {INSTALL}") from fault
    return weasyprint
