"""All pages as routes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter

from detector.web.board import Board
from detector.web.pages.frame import Pages
from detector.web.pages.wall import wall_routes

if TYPE_CHECKING:
    from detector.web.api import Web


def page_routes(web: Web, pages: Pages, board: Board) -> APIRouter:
    """All pages."""
    root = APIRouter(include_in_schema=False)
    root.include_router(wall_routes(pages, board, web.hub, web.backfill))
    return root
