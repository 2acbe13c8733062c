"""What is told of learners, in words besides: names of limits, why some stand still, who did what.

For whoever reads the interface's answers to people; each answer stays as it is, with `words` added.
"""

from __future__ import annotations

from typing import Any, Literal

from detector.engine import Engine
from detector.learning.told import Told
from detector.web.pages.names import Names
from detector.web.pages.stills import Still, Stills
from detector.web.times import Times
from detector.web.words import words_of

Lang = Literal["zh", "en"]


class ModelWords:
    """Says it in one language, by the names of the district that judges now."""

    def __init__(self, engine: Engine, lang: Lang) -> None:
        self._t = words_of(lang)
        self._lang, self._names = lang, Names(engine, lang, self._t)
        self._times = Times(engine.calendar, self._t)
        self._stills = Stills(self._names, self._times)

    def brief(self, item: dict[str, Any], told: Told) -> dict[str, Any]:
        """A learner in a list (`detector.learned.brief`): its name, and whose limits stand still,
        since when, by whom and why."""
        frozen = [self._still(one) for one in self._stills.frozen(told, item["frozen"])]
        return item | {"words": {"name": item[self._lang], "frozen": frozen}}

    def card(self, item: dict[str, Any], told: Told) -> dict[str, Any]:
        """A learner's card (`whole`), with limits: besides what it learns, their unit and names."""
        spoken = self.brief(item, told)
        spoken["words"] |= {
            "learns": self._names.learns(item["id"], item["prose"]),
            "unit": self._names.unit(item["unit"]) if item["unit"] else "",
        }
        for rows in ("limits", "waiting"):
            spoken[rows] = [one | {"words": self._limit(one["key"])} for one in item[rows]]
        return spoken

    def epoch(self, learner: str, keys: tuple[str, ...], item: dict[str, Any]) -> dict[str, Any]:
        """An epoch (`epoch_told`): what it was, who did it and why, and the limits that moved."""
        actor = item["actor"]
        words = {
            "cause": self._t(f"model.act.{item['cause']}"),
            "actor": self._names.actor(actor) if actor else "",
            "reason": self._stills.reason(learner, actor, item["reason"]) if item["reason"] else "",
            "changed": [
                self._limit(dict(zip(keys, one["name"].split("/"), strict=False)))
                for one in item["changed"]
            ],
        }
        return item | {"words": words}

    def _limit(self, key: dict[str, str]) -> str:
        return self._names.limit_short(list(key), list(key.values()))

    def _still(self, one: Still) -> str:
        at, by = self._times.at(one.at, False), self._names.actor(one.actor)
        since = self._t(f"still.{one.kind}", at=at, by=by)
        return self._t("still.of", name=f"{one.name} {since}", why=one.why)
