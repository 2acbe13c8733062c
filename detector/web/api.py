"""The HTTP interface under `/api/v1`, and what a machine asks at the root."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, FastAPI, Request
from fastapi import Query as Asked
from fastapi.responses import FileResponse
from starlette.responses import Response
from starlette.routing import Route

from detector import __version__
from detector.accounts.replies import Replies
from detector.delivery.letterbox import Letterbox
from detector.delivery.postman import Postman
from detector.delivery.watchdog import Trouble
from detector.district import District
from detector.documents.serial import Serials
from detector.engine import Engine
from detector.ledger import Query
from detector.live import Reloading, Service
from detector.web import queries
from detector.web.answer_page import answer_routes
from detector.web.answered import Answered
from detector.web.attachment_routes import attachment_routes
from detector.web.attachments import Attachments
from detector.web.backfill import Backfill
from detector.web.beforehand import Beforehand
from detector.web.board import Board
from detector.web.bodies import Bodies
from detector.web.district import district_routes
from detector.web.doorman import Doorman
from detector.web.doors import Doors
from detector.web.etags import Etags
from detector.web.events import Events
from detector.web.guard import Guard
from detector.web.hub import Hub
from detector.web.learned import Learned
from detector.web.letters import letter_routes
from detector.web.links import Links
from detector.web.metrics import KIND, Counted, metrics
from detector.web.mistakes import sentence
from detector.web.model_routes import model_routes
from detector.web.notices import Notices, notice_routes
from detector.web.once import Once
from detector.web.openapi import describe
from detector.web.pages.frame import Pages
from detector.web.pages.names import Names
from detector.web.pages.routes import door_routes, page_routes
from detector.web.pages.switching import Switching
from detector.web.pages.wall import figure_routes
from detector.web.papers import paper_routes
from detector.web.problems import Problem, handle_problems, json_response
from detector.web.queries import Cursor, From, Limit, Shelf, Text, Tier, To
from detector.web.quotas import Quotas
from detector.web.readers import Readers
from detector.web.receipts import delivery_of, receipt_routes
from detector.web.refused import spoken
from detector.web.rule_routes import rule_routes
from detector.web.settings import Settings
from detector.web.static_files import STATIC, static_files
from detector.web.stream import Stream
from detector.web.thresholds import Thresholds, threshold_routes
from detector.web.verdicts import Verdicts, verdict_routes
from detector.web.who import who_in
from detector.web.words import language_of
from detector.workcalendar import Zone

_FILTERS = "department rule tier case_id operator item state verdict from to cursor limit"
State = Literal["stands", "withdrawn", "muted"]
Found = Literal["confirmed", "false_alarm", "justified", "none"]
# Neither traced nor exported, whatever the environment says.
NO_TELEMETRY: Any = {"auto_configure": False, "tracing": False, "metrics": False, "logs": False}


@dataclass
class Web:
    """What the routes share."""

    service: Service
    readers: Readers
    zone: Zone
    settings: Settings = field(default_factory=Settings)
    district: Reloading | None = None
    links: Links | None = None
    postman: Postman | None = None
    letterbox: Letterbox | None = None
    troubles: Callable[[], list[Trouble]] | None = None  # of the watchdog
    papers: tuple[Serials, Callable[[], District]] | None = None  # and the district in force
    shelf: Shelf | None = None  # where figures are kept for all servers
    engine: Callable[[], Engine] | None = None  # what judges now; without it there are no pages
    attachments: Attachments | None = None  # files of answers
    replies: Replies | None = None  # answers to bodies that came with a key
    doors: Doors | None = None  # who may come in; None: everybody is the local administrator

    def __post_init__(self) -> None:
        self.bodies, self.answered = Bodies(self.settings), Answered()
        self.beforehand = Beforehand(self.service, self.settings)
        self.notices = Notices(self.service, self.readers, self.bodies, self.zone)
        self.verdicts = Verdicts(self.notices)
        self.hub = Hub(self.service.epoch, self.settings, self.service.shards)
        self.backfill = Backfill(self.hub, self.readers)
        if self.hub.embedded:
            self.service.listeners.append(self.hub.heard)
        self.quotas, self.once = Quotas(self._lines_per_minute), Once(self.replies)
        self.board, self.pages, self.learned, self.switching = None, None, None, None
        if self.engine is not None:
            self.learned = Learned(self.notices, self.engine)
            self.board = Board(
                self.service, self.readers, self.hub, self.engine,
                lambda: delivery_of(self.postman) if self.postman else None,
            )  # fmt: skip
            self.pages = Pages(self.engine)
            self.switching = Switching(
                self.district, self.doors, self.engine, lambda: self.service.figures.clock_us,
                self.readers,
            )  # fmt: skip

    @property
    def names(self) -> Callable[[str], Names] | None:
        """What things are called in a language; None where no engine is at hand."""
        return self.pages.names if self.pages is not None else None

    def _lines_per_minute(self) -> int:
        if self.engine is None:
            return 0
        return self.engine().district.limits.source_lines_per_minute_max

    def counters(self) -> list[Counted]:
        """What is counted here, for `/metrics`."""
        return [
            ("oriole_quota_refusals", "Bodies of sources that send too much.", self.quotas.refused),
            ("oriole_answers_again", "Answers given again by their key.", self.once.replayed),
        ]

    def close(self) -> None:
        """End what would keep a connection open; called in the event loop."""
        if self.board is not None:
            self.board.close()
        self.backfill.close()
        self.hub.close()
        self.bodies.close()
        self.beforehand.close()


def create_app(web: Web) -> FastAPI:
    """The application. It sends nothing anywhere, whatever the environment says."""

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        # what is committed from here on is heard, and what was heard before is in the ledger
        web.hub.start(await web.backfill.last())
        if not web.hub.embedded:
            web.backfill.start()
        if web.board is not None:
            web.board.start()
        yield
        web.close()

    app = FastAPI(
        title="Oriole 黄雀", version=__version__, lifespan=life, docs_url=None, redoc_url=None,
        openapi_url="/api/openapi.json", telemetry=NO_TELEMETRY,
    )  # fmt: skip
    app.openapi = cache(lambda: describe(app))  # type: ignore[method-assign]
    # these are plain ASGI: bodies and frames pass through nothing that would look at them
    events = Events(web.service, web.bodies, web.quotas, web.once)
    app.router.routes += [
        Route("/api/v1/events", events, methods=["POST"]),
        Route("/api/v1/gate", web.beforehand, methods=["POST"]),
        Route("/api/v1/stream", Stream(web.hub, web.backfill), methods=["GET"]),
    ]
    app.include_router(_api(web), prefix="/api/v1")
    if web.district is not None:
        app.include_router(district_routes(web.district), prefix="/api/v1")
    app.include_router(notice_routes(web.notices), prefix="/api/v1")
    app.include_router(verdict_routes(web.verdicts), prefix="/api/v1")
    if web.engine is not None:
        app.include_router(rule_routes(web.service, web.readers, web.engine), prefix="/api/v1")
        tried = Thresholds(web.service, web.readers, web.engine)
        app.include_router(threshold_routes(tried), prefix="/api/v1")
    if web.learned is not None:
        app.include_router(model_routes(web.learned), prefix="/api/v1")
    if web.letterbox is not None:
        app.include_router(receipt_routes(web.letterbox, web.bodies), prefix="/api/v1")
        app.include_router(letter_routes(web.letterbox), prefix="/api/v1")
    if web.papers is not None:
        app.include_router(paper_routes(web.notices, *web.papers, web.names), prefix="/api/v1")
    if web.links is not None:
        app.include_router(answer_routes(web.notices, web.links, web.attachments, web.names))
    if web.board is not None and web.pages is not None:
        app.include_router(figure_routes(web.board), prefix="/api/v1")
        app.include_router(page_routes(web, web.pages, web.board))
        if web.doors is not None:
            app.include_router(door_routes(web.doors, web.pages, web.bodies))
    if web.attachments is not None:
        app.include_router(attachment_routes(web.notices, web.attachments), prefix="/api/v1")
    app.include_router(_root(web))
    app.mount("/static", static_files(), "static")
    app.add_middleware(Etags)
    app.add_middleware(Doorman, doors=web.doors)
    app.add_middleware(
        Guard, any_host=web.settings.any_host, hosts=web.settings.hosts, tell=web.answered.tell
    )
    handle_problems(app, web.pages.problem if web.pages else None)
    return app


def _api(web: Web) -> APIRouter:
    api = APIRouter()

    @api.get("/findings", summary="Findings, newest first")
    async def get_findings(
        request: Request,
        department: Text = None, rule: Text = None, tier: Tier = None, case_id: Text = None,
        operator: Text = None, item: Text = None, state: State | None = None,
        verdict: Found | None = None,
        begin: From = None, end: To = None, cursor: Cursor = None, limit: Limit = 100,
    ) -> Response:  # fmt: skip
        """Those of `from` <= at < `to`: instants, or days of the district, `to` included.
        `verdict`: the one that counts; `none`: nobody has said anything."""
        queries.only(request, _FILTERS)
        wanted = Query(
            department, rule, tier, case_id, operator, state,
            queries.instant("from", begin, web.zone), queries.instant("to", end, web.zone, True),
            queries.cursor_of(cursor), limit, item=item, verdict=verdict,
        )  # fmt: skip
        who = who_in(request.scope)
        return json_response(await web.readers.ask(lambda r: queries.findings(r, wanted, who)))

    @api.get("/findings/{finding_id}", summary="One finding, and how it came to stand as it does")
    async def get_finding(finding_id: str, request: Request) -> Response:
        who = who_in(request.scope)
        told = await web.readers.ask(lambda r: queries.finding(r, web.service, finding_id, who))
        return json_response(told)

    @api.get("/cases/{case_id:path}", summary="A case: its events as they came, and its findings")
    async def get_case(case_id: str, request: Request) -> Response:
        who = who_in(request.scope)
        told = await web.readers.ask(lambda r: queries.case(r, web.service, case_id, who))
        return json_response(told)

    @api.get("/refusals", summary="Refused lines, oldest first")
    async def get_refusals(
        request: Request, cursor: Annotated[int, Asked(ge=0, lt=1 << 62)] = 0, limit: Limit = 100
    ) -> Response:
        queries.only(request, "cursor limit")
        who, lang = who_in(request.scope), language_of(request.scope)
        told = await web.readers.ask(lambda r: queries.refusals(r, cursor, limit, who, lang))
        return json_response(told, headers=spoken(lang))

    @api.get("/counts", summary="What stands, is muted, or could not be judged, and why")
    async def get_counts(request: Request) -> Response:
        who = who_in(request.scope)
        told = await web.readers.ask(lambda r: queries.kept_counts(r, web.shelf, who))
        return json_response(told)

    return api


def _root(web: Web) -> APIRouter:
    root = APIRouter(include_in_schema=False)
    told = metrics(
        web.service, web.hub, web.bodies, web.district, web.troubles, web.beforehand.figures,
        web.counters, web.answered.by_status,
        (lambda: web.learned.figures if web.learned else {}),
    )  # fmt: skip

    @root.get("/healthz")
    async def healthz() -> Response:
        state = web.service.state
        return json_response(
            msgspec.json.encode({"state": state}), 503 if state == "failed" else 200
        )

    @root.get("/readyz")
    async def readyz(request: Request) -> Response:
        state = web.service.state
        told = {"state": state, **web.service.about(), "cases": web.service.cases()}
        if web.postman is not None:
            told["delivery"] = delivery_of(web.postman)
        if web.troubles is not None:
            loop = asyncio.get_running_loop()
            told["troubles"] = await loop.run_in_executor(None, web.troubles)
        if web.district is not None:
            lang = language_of(request.scope)
            told["district_problems"] = [sentence(one, lang) for one in web.district.problems]
        return json_response(msgspec.json.encode(told), 200 if state == "ready" else 503)

    @root.get("/metrics")
    async def get_metrics() -> Response:
        if web.learned is not None:
            with suppress(Problem):  # too many questions at once: as they were
                await web.readers.ask(web.learned.measure)
        return Response(told(), media_type=KIND)

    @root.get("/api/docs")
    async def docs() -> Response:
        return FileResponse(STATIC / "docs.html")

    return root
