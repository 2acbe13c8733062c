"""The attacks as tables and pictures for docs/learning.md and its twin.

`python tests/attack_pages.py docs` writes them: pictures, and all between the marks of both pages.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from attacks import ATTACKS, FLOOR_S, Course, Day, run

MARKS = "<!-- attacks -->", "<!-- /attacks -->"
STOPPED = {
    "": ("—", "—"),
    "people": ("不足三人", "fewer than three persons"),
    "floor": ("下限", "the floor"),
    "cap": ("上限", "the cap"),
    "step": ("突变，等人批准", "a jump: waits for a person"),
    "total": ("离上次批准太远，等人批准", "too far from what was approved: waits for a person"),
    "drift": ("漂移，停住", "drift: it stands still"),
}
HEADS = (
    ("天", "当日百分之一低于（秒）", "提议（秒）", "生效（秒）", "被什么挡住"),
    ("day", "one of 100 below (s)", "proposed (s)", "in force (s)", "what stopped it"),
)
SEEN = ("发现漂移：第 {day} 天", "Drift seen on day {day}")
NEVER = ("未发现漂移", "No drift seen")


def sampled(course: Course) -> list[Day]:
    """Days for a table: the last before, the first ones, when drift was seen or anything stopped it
    first, and every quarter."""
    days = course.attack.days
    wanted = {-1, 0, 7, course.drifted, days - 1} | {days * n // 4 for n in (1, 2, 3)}
    first = {d.stopped: d.day for d in reversed(course.days) if d.day >= 0}
    return [d for d in course.days if d.day in wanted | set(first.values())]


def section(course: Course, english: bool) -> str:
    """One attack in Markdown: picture, when drift was seen, and the table."""
    title = course.attack.en if english else course.attack.zh
    drifted = course.drifted
    seen = NEVER[english] if drifted is None else SEEN[english].format(day=drifted)
    lines = [
        f"### {title}", "", f"![{title}](pictures/attack-{course.attack.name}.svg)", "",
        f"{seen}{'.' if english else '。'}", "", f"| {' | '.join(HEADS[english])} |",
        "|---:|---:|---:|---:|---|",
    ]  # fmt: skip
    for d in sampled(course):
        numbers = (d.day, d.true_s, d.proposed_s or "—", d.in_force_s or "—")
        lines.append(f"| {' | '.join(map(str, numbers))} | {STOPPED[d.stopped][english]} |")
    return "\n".join(lines)


def filled(page: str, sections: list[str]) -> str:
    """The page with what lies between the marks replaced; only the first mark need be there."""
    before, _, rest = page.partition(MARKS[0])
    after = rest.partition(MARKS[1])[2] or rest
    return "\n".join([f"{before}{MARKS[0]}", "", "\n\n".join(sections), "", f"{MARKS[1]}{after}"])


WIDE, HIGH, LEFT, TOP, BOTTOM = 720, 264, 60, 30, 40
LINES = (
    ("true_s", "#9aa5b1", 1, "当日百分之一低于 one of 100 below"),
    ("proposed_s", "#c77700", 2, "提议 proposed"),
    ("in_force_s", "#0b5cad", 2, "生效 in force"),
)
GRID_S = (30, 120, 600, 1_800, 3_600, 7_200)


class Canvas:
    """Days to the right, seconds upwards on a logarithmic scale."""

    def __init__(self, days: list[Day]) -> None:
        told = [getattr(d, name) for d in days for name, *_ in LINES if getattr(d, name) > 0]
        self.low = float(np.log2(min(*told, FLOOR_S) * 0.8))
        self.high = float(np.log2(max(*told, FLOOR_S) * 1.25))
        self.first, self.span = days[0].day, days[-1].day - days[0].day
        self.parts: list[str] = []

    def x(self, day: float) -> str:
        """Place of a day."""
        return f"{LEFT + (WIDE - LEFT - 10) * (day - self.first) / self.span:.1f}"

    def y(self, seconds: float) -> str:
        """Place of a time."""
        part = (float(np.log2(seconds)) - self.low) / (self.high - self.low)
        return f"{HIGH - BOTTOM - (HIGH - BOTTOM - TOP) * part:.1f}"

    def path(self, to: str, colour: str, dash: str = "none", wide: int = 1) -> None:
        """A line."""
        self.parts.append(
            f'<path d="{to}" fill="none" stroke="{colour}" stroke-width="{wide}" '
            f'stroke-dasharray="{dash}"/>'
        )

    def text(self, x: object, y: object, told: str, colour: str, anchor: str = "start") -> None:
        """A word."""
        self.parts.append(
            f'<text x="{x}" y="{y}" fill="{colour}" text-anchor="{anchor}">{told}</text>'
        )


def picture(course: Course) -> str:
    """A plain SVG."""
    to = Canvas(course.days)
    across = f"H{WIDE - 10}"
    for seconds in GRID_S:
        if to.low < np.log2(seconds) < to.high:
            to.path(f"M{LEFT} {to.y(seconds)}{across}", "#e4e7eb")
            to.text(LEFT - 6, float(to.y(seconds)) + 4, f"{seconds} s", "#444", "end")
    to.path(f"M{LEFT} {to.y(FLOOR_S)}{across}", "#b00020", "2 4")
    to.text(LEFT + 4, float(to.y(FLOOR_S)) - 4, "下限 floor", "#b00020")
    marks = [(0, "#444", "开始 begins")]
    marks += [(day, "#b00020", "漂移 drift") for day, _ in course.drifts[:1]]
    for n, (day, colour, word) in enumerate(marks):
        to.path(f"M{to.x(day)} {TOP}V{HIGH - BOTTOM}", colour, "4 3")
        to.text(to.x(day), HIGH - BOTTOM + 14 * (n + 1), f"{word} {day}", colour, "middle")
    for n, (name, colour, wide, word) in enumerate(LINES):
        told = [(d.day, getattr(d, name)) for d in course.days if getattr(d, name) > 0]
        if told:
            to.path("M" + "L".join(f"{to.x(d)} {to.y(v)}" for d, v in told), colour, "none", wide)
        to.text(LEFT + (0, 260, 400)[n], 18, word, colour)
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {HIGH}" role="img" '
        f'font-family="sans-serif" font-size="12"><title>{course.attack.zh}</title>',
        f'<rect width="{WIDE}" height="{HIGH}" fill="#fff"/>', *to.parts, "</svg>", "",
    ])  # fmt: skip


def main(docs: Path) -> None:
    """Write pictures, and fill both pages."""
    courses = [run(attack) for attack in ATTACKS]
    (docs / "pictures").mkdir(exist_ok=True)
    for course in courses:
        path = docs / "pictures" / f"attack-{course.attack.name}.svg"
        path.write_text(picture(course), "utf-8")
    for name, english in (("learning.zh.md", False), ("learning.md", True)):
        page = docs / name
        told = [section(course, english) for course in courses]
        page.write_text(filled(page.read_text("utf-8"), told), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
