"""The HTTP interface under `/api/v1`, and what a machine asks at the root."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import msgspec
from fastapi import APIRouter, FastAPI, Request
from fastapi import Query as Asked
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from detector import __version__
from detector.ledger import LedgerError, Move, Query
from detector.live import Answer, Service, Unavailable, Unreadable
from detector.web import queries
from detector.web.bodies import Bodies
from detector.web.guard import Guard
from detector.web.hub import Hub
from detector.web.metrics import KIND, metrics
from detector.web.problems import Problem, answer, json_response, problem_of
from detector.web.readers import Readers
from detector.workcalendar import Zone

STATIC = Path(__file__).resolve().parent / "static"
VIEWERS_MAX = 2_000
_EVENTS = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-ndjson": {"schema": {"type": "string"}},
            "application/json": {"schema": {"type": "array", "items": {"type": "object"}}},
        },
    },
    "responses": {
        "200": {"description": "Committed: accepted, duplicates, and refused lines with reasons."},
        **{
            code: {"description": text}
            for code, text in {
                "400": "Unreadable.", "408": "Too slow.", "413": "Too large.",
                "429": "The queue is full: come again after Retry-After.",
                "503": "Not to be had now.", "507": "The disk is full.",
            }.items()
        },
    },
}  # fmt: skip
Text = Annotated[str | None, Asked(max_length=128)]
Limit = Annotated[int, Asked(ge=1, le=queries.LIMIT_MAX)]


@dataclass
class Web:
    """What the routes share. `hub` is there once the event loop runs."""

    service: Service
    readers: Readers
    zone: Zone
    last_move: int = 0  # of the ledger when the service was opened
    bodies: Bodies = field(default_factory=Bodies)
    viewers_max: int = VIEWERS_MAX
    hub: Hub | None = None

    def open_hub(self) -> Hub:
        """The hub of this event loop; the engine's thread is its source from now on."""
        loop = asyncio.get_running_loop()

        async def past(after: int, limit: int) -> list[tuple[int, Move]]:
            return await self.readers.ask(lambda reader: reader.moves(after, limit))

        hub = self.hub = Hub(self.service.epoch, self.last_move, past)

        def heard(moves: list[tuple[int, Move]]) -> None:
            loop.call_soon_threadsafe(hub.publish, moves)

        self.service.listeners.append(heard)
        return hub


def create_app(web: Web) -> FastAPI:
    """The application. It sends nothing anywhere, whatever the environment says."""

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        hub = web.open_hub()
        yield
        hub.close()

    app = FastAPI(
        title="Oriole 黄雀", version=__version__, lifespan=life, docs_url=None, redoc_url=None,
        openapi_url="/api/openapi.json", telemetry={"auto_configure": False},
    )  # fmt: skip
    app.include_router(_api(web), prefix="/api/v1")
    app.include_router(_root(web))
    app.mount("/static", StaticFiles(directory=STATIC), "static")
    app.add_middleware(Guard)
    app.add_exception_handler(Problem, _said)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(LedgerError, _ledger)
    return app


async def _said(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, Problem)
    return answer(fault)


async def _invalid(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, RequestValidationError)
    first = fault.errors()[0]
    name = ".".join(str(part) for part in first["loc"][1:])
    return answer(Problem(400, f"{name}: {first['msg']}"))


async def _http(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, HTTPException)
    return answer(Problem(fault.status_code, str(fault.detail)))


async def _ledger(request: Request, fault: Exception) -> Response:
    return answer(Problem(503, str(fault), 1))


def _api(web: Web) -> APIRouter:
    api = APIRouter()

    @api.post("/events", openapi_extra=_EVENTS, summary="Send events: NDJSON or a JSON array")
    async def post_events(request: Request) -> Response:
        body = await web.bodies.read(request)
        told = await submit(web.service, body)
        return json_response(msgspec.json.encode(told))

    @api.get("/findings", summary="Findings, newest first")
    async def get_findings(
        department: Text = None, rule: Text = None, tier: int | None = None, case_id: Text = None,
        operator: Text = None, state: Text = None,
        begin: Annotated[str | None, Asked(alias="from", max_length=40)] = None,
        end: Annotated[str | None, Asked(alias="to", max_length=40)] = None,
        cursor: Annotated[str | None, Asked(max_length=256)] = None, limit: Limit = 100,
    ) -> Response:  # fmt: skip
        if state is not None and state not in queries.STATES:
            raise Problem(400, f"state: write one of {', '.join(queries.STATES)}")
        wanted = Query(
            department, rule, tier, case_id, operator, state,
            queries.instant("from", begin, web.zone), queries.instant("to", end, web.zone, True),
            queries.cursor_of(cursor), limit,
        )  # fmt: skip
        return json_response(await web.readers.ask(lambda r: queries.findings(r, wanted)))

    @api.get("/findings/{finding_id}", summary="One finding, and how it came to stand as it does")
    async def get_finding(finding_id: str) -> Response:
        return json_response(await web.readers.ask(lambda r: queries.finding(r, finding_id)))

    @api.get("/cases/{case_id}", summary="A case: its events as they came, and its findings")
    async def get_case(case_id: str) -> Response:
        return json_response(await web.readers.ask(lambda r: queries.case(r, web.service, case_id)))

    @api.get("/refusals", summary="Refused lines, oldest first")
    async def get_refusals(cursor: Annotated[int, Asked(ge=0)] = 0, limit: Limit = 100) -> Response:
        return json_response(await web.readers.ask(lambda r: queries.refusals(r, cursor, limit)))

    @api.get("/counts", summary="What stands, is muted, or could not be judged, and why")
    async def get_counts() -> Response:
        return json_response(await web.readers.ask(queries.counts))

    @api.get("/stream", summary="Findings as they come: server-sent events, resumable")
    async def get_stream(request: Request, last: Text = None) -> Response:
        return stream(web, request.headers.get("last-event-id") or last)

    return api


async def submit(service: Service, body: bytes) -> Answer:
    """Hand a body to the engine and wait for what is said. Raises `Problem`."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Answer] = loop.create_future()

    def settle(told: Answer | Exception) -> None:
        if future.done():
            return  # the client has gone; what it sent is judged all the same
        if isinstance(told, Exception):
            future.set_exception(told)
        else:
            future.set_result(told)

    def say(told: Answer | Exception) -> None:
        loop.call_soon_threadsafe(settle, told)

    try:
        service.submit(body, say)
        return await future
    except Unreadable as fault:
        raise Problem(400, str(fault)) from None
    except Unavailable as fault:
        raise problem_of(fault) from None


def stream(web: Web, last_id: str | None) -> Response:
    """The response of one open stream. Raises `Problem`."""
    hub = web.hub
    if hub is None or hub.closed:
        raise Problem(503, "the service is stopping", 1)
    if len(hub.viewers) >= web.viewers_max:
        raise Problem(503, f"{web.viewers_max} streams are open: come again later", 10)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(hub.stream(last_id), 200, headers, "text/event-stream")


def _root(web: Web) -> APIRouter:
    root = APIRouter(include_in_schema=False)
    told = metrics(web.service, lambda: len(web.hub.viewers) if web.hub else 0)

    @root.get("/healthz")
    async def healthz() -> Response:
        state = web.service.state
        return json_response(
            msgspec.json.encode({"state": state}), 503 if state == "failed" else 200
        )

    @root.get("/readyz")
    async def readyz() -> Response:
        state = web.service.state
        told = {"state": state, **web.service.about()}
        return json_response(msgspec.json.encode(told), 200 if state == "ready" else 503)

    @root.get("/metrics")
    async def get_metrics() -> Response:
        return Response(told(), media_type=KIND)

    @root.get("/")
    async def home() -> Response:
        return FileResponse(STATIC / "home.html")

    @root.get("/api/docs")
    async def docs() -> Response:
        return FileResponse(STATIC / "docs.html")

    return root
