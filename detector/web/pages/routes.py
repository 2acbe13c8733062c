"""Which pages there are, put together for the application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter

from detector.web.board import Board
from detector.web.bodies import Bodies
from detector.web.doors import Doors
from detector.web.pages.account import account_routes
from detector.web.pages.acts import Acting
from detector.web.pages.admin import admin_routes, audit_routes
from detector.web.pages.case import case_routes
from detector.web.pages.export import export_routes
from detector.web.pages.finding import finding_routes
from detector.web.pages.frame import Pages
from detector.web.pages.lists import list_routes
from detector.web.pages.login import Login, login_routes
from detector.web.pages.models import model_routes
from detector.web.pages.notice import notice_routes
from detector.web.pages.oidc import oidc_routes
from detector.web.pages.people import people_routes
from detector.web.pages.quality import quality_routes
from detector.web.pages.rules import rule_routes
from detector.web.pages.search import search_routes
from detector.web.pages.thresholds import threshold_pages
from detector.web.pages.wall import wall_routes
from detector.web.thresholds import Thresholds

if TYPE_CHECKING:
    from detector.web.api import Web


def door_routes(doors: Doors, pages: Pages, bodies: Bodies) -> APIRouter:
    """Those for coming in, and for who keeps accounts."""
    root = APIRouter(include_in_schema=False)
    login = Login(pages, doors, bodies)
    if doors.oidc is not None:
        root.include_router(oidc_routes(login, doors.oidc))
    for make in (login_routes, account_routes, admin_routes, audit_routes):
        root.include_router(make(login))
    return root


def page_routes(web: Web, pages: Pages, board: Board) -> APIRouter:
    """Every page, with what it needs of what the routes share."""
    root = APIRouter(include_in_schema=False)
    acting, readers = Acting(web.notices), web.readers
    assert web.switching is not None
    for one in (
        wall_routes(pages, board, web.hub, web.backfill),
        list_routes(pages, readers, acting),
        export_routes(pages, readers, acting),
        notice_routes(pages, readers, acting, web.attachments),
        finding_routes(pages, readers, web.notices, web.verdicts),
        case_routes(pages, readers, web.service),
        people_routes(pages, readers, acting),
        rule_routes(pages, readers, acting, web.switching),
        threshold_pages(pages, Thresholds(web.service, readers, pages.engine)),
        *([model_routes(pages, web.learned)] if web.learned else []),
        quality_routes(pages, readers, acting, web.district, web.letterbox),
        search_routes(pages, readers, acting),
    ):
        root.include_router(one)
    return root
