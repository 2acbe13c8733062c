"""Absent public logs are never passed over in silence."""

import pytest
from conftest import find_shared_data


def test_logs_beside_the_checkout_are_found(tmp_path):
    folder = tmp_path / "shared" / "data"
    folder.mkdir(parents=True)
    assert find_shared_data(tmp_path / "checkout", on_ci=True) == folder


def test_absent_logs_skip_at_a_desk_and_fail_on_ci(tmp_path):
    with pytest.raises(pytest.skip.Exception, match="is absent"):
        find_shared_data(tmp_path / "checkout", on_ci=False)
    with pytest.raises(pytest.fail.Exception, match="must not pass"):
        find_shared_data(tmp_path / "checkout", on_ci=True)
