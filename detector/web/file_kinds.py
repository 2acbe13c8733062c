"""What a file is, by what is in it and never by its name; and a name that is safe to show."""

from __future__ import annotations

import re
import unicodedata
import zipfile
from pathlib import Path

_ZIP = b"PK\x03\x04"
_OFFICE = {  # a part that such an archive holds → its kind
    "word/document.xml": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xl/workbook.xml": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "ppt/presentation.xml": (
        "application/vnd.openxmlformats-officedocument.presentationml.presentation"
    ),
}
_OPEN = tuple(f"application/vnd.oasis.opendocument.{one}" for one in ("text", "spreadsheet"))
ENDINGS = {
    "application/pdf": (".pdf",),
    "image/png": (".png",),
    "image/jpeg": (".jpg", ".jpeg"),
    _OFFICE["word/document.xml"]: (".docx",),
    _OFFICE["xl/workbook.xml"]: (".xlsx",),
    _OFFICE["ppt/presentation.xml"]: (".pptx",),
    _OPEN[0]: (".odt",),
    _OPEN[1]: (".ods",),
    "text/plain": (".txt", ".csv", ".md", ".log"),
}
PARTS_MAX = 10_000  # of one archive
NAME_CHARS_MAX = 80
_ODD = re.compile(r'[<>:"|?*%\x00-\x1f\x7f]')
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]")


def kind_of(path: Path) -> str | None:
    """The kind of a file; None where it is none that is taken."""
    with path.open("rb") as file:
        head = file.read(16)
    if head.startswith(b"%PDF-"):
        return "application/pdf"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(_ZIP):
        return _office(path)
    return "text/plain" if head and _is_text(path.read_bytes()) else None


def _office(path: Path) -> str | None:
    """The kind of an office document without macros; only its list of parts is looked at."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            first = archive.infolist()[0] if names else None
            if first is not None and first.filename == "mimetype" and first.file_size < 100:
                told = archive.read(first).decode("ascii", "replace")
                macros = any(name.startswith(("Basic/", "Scripts/")) for name in names)
                return told if told in _OPEN and not macros else None
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError):
        return None
    if len(names) > PARTS_MAX or "[Content_Types].xml" not in names:
        return None
    if any("vbaproject" in name.lower() for name in names):
        return None
    return next((kind for part, kind in _OFFICE.items() if part in names), None)


def _is_text(data: bytes) -> bool:
    """Text as desks here write it: UTF-8, or GB 18030; no control characters."""
    if _CONTROL.search(data):
        return False
    for encoding in ("utf-8", "gb18030"):
        try:
            data.decode(encoding)
        except UnicodeDecodeError:
            continue
        return True
    return False


def shown_name(name: str, kind: str | None = None) -> str:
    """A name without folders, odd or invisible characters, that ends as its kind does."""
    last = re.split(r"[/\\]", name)[-1]
    visible = "".join(c for c in last if c.isspace() or unicodedata.category(c)[0] != "C")
    plain = _ODD.sub("_", unicodedata.normalize("NFC", " ".join(visible.split())))
    stem, dot, ending = plain.rpartition(".")
    good = ENDINGS[kind] if kind else ("",)
    known = f".{ending.lower()}" in good
    end = f".{ending.lower()}" if dot and known else good[0]
    told = (stem if dot and known else plain).strip(" .")
    return (told[: NAME_CHARS_MAX - len(end)].strip(" .") or "附件") + end
