"""What an event rule answers: nothing to say, a reason why it cannot know, or what it raises."""

from __future__ import annotations

from dataclasses import dataclass

from detector.event import Event


@dataclass(frozen=True)
class Hit:
    """One thing to raise."""

    value: int
    limit: int
    events: tuple[Event, ...]
    cause: tuple[str, ...] = ()  # this event, unless said
    reason: str = ""  # the rule's only one, unless said


Outcome = str | list[Hit] | None


def letters(text: str | None) -> int:
    """How many characters of a text are no white space."""
    return sum(not character.isspace() for character in text or "")
