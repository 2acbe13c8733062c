"""Channels of the district in force: opened once, anew when they change, tried again in time."""

from __future__ import annotations

from dataclasses import replace

import pytest
from delivery_kit import district

from detector.adapters.log_channel import LogOut
from detector.adapters.robots import RobotOut
from detector.channels import ChannelSettings
from detector.post import AGAIN_S, Ways

LOG = ChannelSettings("log", "log")
ROBOT = ChannelSettings(
    "group", "wecom", 20, {"token_env": "ORIOLE_TOKEN", "allow_private": (), "timeout_s": 5}
)


class Place:
    """A district that changes, secrets that come, a clock that is moved."""

    def __init__(self, *channels: ChannelSettings) -> None:
        self.district = district(*channels)
        self.seconds, self.secrets = 0.0, dict[str, str]()
        self.said: list[dict[str, str]] = []
        self.ways = Ways(
            lambda: self.district, lambda what, **told: self.said.append({"event": what} | told),
            lambda: self.seconds, self.secrets.get,
        )  # fmt: skip


def test_a_channel_is_opened_once_and_anew_when_it_changes():
    place = Place(LOG)
    one = place.ways["log"]
    assert isinstance(one, LogOut) and place.ways["log"] is one and list(place.ways) == ["log"]
    place.district = district(replace(LOG, per_minute_max=7))
    assert place.ways["log"] is not one


def test_a_channel_that_is_gone_is_no_way_any_more():
    place = Place(LOG, replace(LOG, name="other"))
    assert sorted(place.ways) == ["log", "other"]
    place.district = district(LOG)
    assert list(place.ways) == ["log"] and len(place.ways) == 1
    with pytest.raises(KeyError):
        place.ways["other"]


def test_one_that_cannot_be_opened_is_said_once_and_tried_again():
    place = Place(LOG, ROBOT)
    assert list(place.ways) == ["log"] and list(place.ways) == ["log"]
    assert [one["event"] for one in place.said] == ["channel_unusable"]
    assert place.said[0]["channel"] == "group" and "ORIOLE_TOKEN" in place.said[0]["reason"]
    place.secrets["ORIOLE_TOKEN"] = "k"
    assert list(place.ways) == ["log"]  # not at every look
    place.seconds = AGAIN_S
    assert isinstance(place.ways["group"], RobotOut)


def test_one_whose_settings_are_mended_is_tried_at_once():
    place = Place(LOG, ROBOT)
    assert list(place.ways) == ["log"]
    place.secrets["ORIOLE_OTHER"] = "k"
    place.district = district(LOG, replace(ROBOT, settings={"token_env": "ORIOLE_OTHER"}))
    assert sorted(place.ways) == ["group", "log"]
