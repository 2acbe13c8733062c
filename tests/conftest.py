"""What all tests share: hypothesis profiles and the folder of public logs."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]
pytest_plugins = ["postgres_server"]
ON_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}

# No deadline anywhere: a slow machine is not a wrong answer. On CI the examples are fixed, so that
# a run that failed can be run again.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("default"), derandomize=True)
settings.load_profile("ci" if ON_CI else "default")


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
