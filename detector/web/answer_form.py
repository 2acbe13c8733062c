"""Reading the forms of the answer page within bounds: words, and files that lie on the disk."""

from __future__ import annotations

import urllib.parse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from detector.web.attachments import MIB
from detector.web.bodies import Bodies, Gone
from detector.web.problems import Problem

FIELDS_MAX, FILES_READ_MAX = 16, 20
FIELD_BYTES_MAX = 64 << 10
FORM_BYTES_MAX = 72 * MIB  # more than five files may have, so that one too large is told by name
DRAIN_BYTES_MAX = 512 * MIB  # thrown away, so that the answer is read
FORM_TIMEOUT_S = 600.0  # telephones send slowly


@dataclass
class Form:
    """What was sent: words by their names, and files in their order."""

    words: dict[str, str] = field(default_factory=dict)
    files: list[UploadFile] = field(default_factory=list)
    too_large: bool = False  # as a whole: nothing of it was kept


class _TooLarge(Exception):
    """More bytes than a form may have. `more`: not all of them have come."""

    def __init__(self, more: bool) -> None:
        super().__init__()
        self.more = more


@asynccontextmanager
async def read_form(bodies: Bodies, request: Request) -> AsyncIterator[Form]:
    """One form; its files are gone afterwards. Raises `Problem`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind != "multipart/form-data":
            yield Form(_pairs(await bodies.read(request.scope, request.receive)))
            return
        async with _parts(bodies, request) as form:
            yield form
    except (Gone, ClientDisconnect):
        raise Problem(400, "form_cut", close=True) from None


def _pairs(body: bytes) -> dict[str, str]:
    try:
        told = body.decode()
        return dict(urllib.parse.parse_qsl(told, keep_blank_values=True, max_num_fields=FIELDS_MAX))
    except ValueError:
        raise Problem(400, "form_unread") from None


@asynccontextmanager
async def _parts(bodies: Bodies, request: Request) -> AsyncIterator[Form]:
    counted = Request(request.scope, _counted(request.receive))
    form = Form()
    try:
        async with bodies.slot(FORM_TIMEOUT_S):
            try:
                told = await counted.form(
                    max_files=FILES_READ_MAX, max_fields=FIELDS_MAX, max_part_size=FIELD_BYTES_MAX
                )
            except _TooLarge as fault:
                await _drain(request.receive, fault.more)
                form.too_large = True
            except HTTPException:
                raise Problem(400, "form_unread", close=True) from None
            else:
                form.words = {k: v for k, v in told.multi_items() if isinstance(v, str)}
                sent = (v for _, v in told.multi_items() if isinstance(v, UploadFile))
                form.files = [one for one in sent if one.filename]  # a field left empty has no name
        yield form
    finally:
        await counted.close()


def _counted(receive: Receive) -> Receive:
    size = 0

    async def next_part() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > FORM_BYTES_MAX:
            raise _TooLarge(message.get("more_body", False))
        return message

    return next_part


async def _drain(receive: Receive, more: bool) -> None:
    """Throw the rest away: most browsers read no answer before they have sent all."""
    size = 0
    while more:
        if size > DRAIN_BYTES_MAX:
            raise Problem(413, "form_far_too_large", close=True)
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
