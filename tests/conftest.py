"""What all tests share: hypothesis profiles and the folder of public logs."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from durations import LISTED, mark_slow
from hypothesis import HealthCheck, settings

from deploy.servers import Kafka, Postgres, Redis, Server
from detector.ledger.postgres_open import migrate

ROOT = Path(__file__).resolve().parents[1]
pytest_plugins = ["browser_kit"]
AnyServer = TypeVar("AnyServer", bound=Server)
ON_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}

# No deadline anywhere: a slow machine is not a wrong answer. On CI the examples are fixed, so that
# a run that failed can be run again.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("default"), derandomize=True)
settings.load_profile("ci" if ON_CI else "default")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is too long for `make check` is known from its last measured run."""
    mark_slow(items, LISTED.read_text(encoding="utf-8").splitlines())


def find_shared_data(root: Path, on_ci: bool) -> Path:
    """Public logs beside the checkout; a visible skip where they are absent, a failure on CI."""
    folder = root.parent / "shared" / "data"
    if folder.is_dir():
        return folder
    if on_ci:
        pytest.fail(f"{folder} is absent, and CI must not pass without the public logs")
    pytest.skip(f"{folder} is absent: tests on public logs are left out")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the public logs (`../shared/data`)."""
    return find_shared_data(ROOT, ON_CI)


def need(kind: type[Server], on_ci: bool = ON_CI) -> None:
    """A visible skip where a server is not installed; a failure on CI."""
    if told := "; ".join(kind.missing()):
        pytest.fail(told) if on_ci else pytest.skip(told)


def running(kind: type[AnyServer]) -> Iterator[AnyServer]:
    """A server over a folder of its own, from first use to the end of the session."""
    need(kind)
    server = kind()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One PostgreSQL a process of tests."""
    yield from running(Postgres)


@pytest.fixture(scope="session")
def kafka() -> Iterator[Kafka]:
    """One Kafka a process of tests; topics are told apart by their names."""
    yield from running(Kafka)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    """One Redis a process of tests; keys are told apart by their names."""
    yield from running(Redis)


@pytest.fixture(scope="session")
def template(postgres: Postgres) -> str:
    """A database with all tables, to be copied."""
    name = postgres.database()
    migrate(postgres.address(name))
    return name
