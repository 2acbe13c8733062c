"""`oriole models list`, `show`, `history` and what people do to a learner (模型、学习界限)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from detector.cli.common import Json, Speak, print_json, refuse, spoken, spoken_faults
from detector.cli.notice import SERVER, Actor, Server, asked

if TYPE_CHECKING:
    from detector.learning.settings import InForce
    from detector.learning.told import Told
    from detector.ledger import Reading
    from detector.web.model_words import Lang, ModelWords
    from detector.web.words import Words

Data = Annotated[
    Path | None, typer.Option("--data", help="Read a ledger's data folder, and ask no service.")
]
Learner = Annotated[str, typer.Argument(help="The learner's id.")]
Key = Annotated[str, typer.Option(help="The name of one limit, as `show` prints it.")]
Reason = Annotated[str, typer.Option(help="Why; it is kept with what is done.")]
CHANGED_SHOWN = 5  # of one epoch, unless as JSON


def words_of(lang: Lang) -> Words:
    """The catalogue's words of a language."""
    from detector.web import words

    return words.words_of(lang)


def list_(data: Data = None, server: Server = SERVER, lang: Speak = "", json: Json = False) -> None:
    """Learners that are on: limits in force, the last epoch, what waits and what stands still."""
    say = None if json else spoken(lang)
    if data is None:
        told = asked(server, "/api/v1/models", _words(say))
    else:
        with _folder(data, say) as (_, in_force, told_of, words):
            from detector.learned import brief

            items = []
            for name in in_force.learners if in_force else ():
                assert in_force is not None
                now = told_of(name)
                item = brief(in_force, name, now)
                items.append(words.brief(item, now) if words else item)
            told = {"items": items, "next_cursor": None, "learns": in_force is not None}
    if say is None:
        print_json(told)
        return
    t = words_of(say)
    for one in told["items"]:
        typer.echo(
            f"{one['id']:<12} {one['words']['name']}  {t('finding.edition', n=one['edition'])}"
            f"  {t('models.limits')} {one['limits_in_force']}"
            f"  {t('models.last')} {one['last_day'] or '—'}  {t('models.waits')} {one['waits']}"
        )
        _say_frozen(t, one)
    if not told["learns"]:
        typer.echo(t("models.off"))


def show(
    learner: Learner,
    item: Annotated[str, typer.Option(help="Only limits of this item.")] = "",
    key: Key = "",
    day: Annotated[str, typer.Option(help="As they were at the end of a day.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=100_000)] = 50,
    data: Data = None,
    server: Server = SERVER,
    lang: Speak = "",
    json: Json = False,
) -> None:
    """A learner's card, its limits in force and what waits."""
    say = None if json else spoken(lang)
    query = {name: text for name, text in (("item", item), ("key", key), ("day", day)) if text}
    if data is None:
        told = _all_limits(server, learner, query | _words(say), limit)
    else:
        told = _shown(data, learner, query, limit, say)
    if say is None:
        print_json(told)
        return
    _say_card(words_of(say), told)


def _say_card(t: Words, told: dict[str, Any]) -> None:
    typer.echo(f"{told['words']['name']} {told['id']}: {told['words']['learns']}")
    typer.echo(f"\n{told['prose']}\n")
    if told["words"]["unit"]:
        unit = told["words"]["unit"]
        typer.echo(t("model.floor", n=f"{told['floor']:,}", unit=unit))
        typer.echo(t("model.cap", n=f"{told['cap']:,}", unit=unit))
        typer.echo(t("model.step", n=f"{told['step_permille'] / 10:g}"))
        typer.echo(t("model.total", n=f"{told['total_permille'] / 10:g}"))
    typer.echo(f"\n{t('models.limits')} {told['limits_in_force']}")
    for one in told["limits"]:
        typer.echo(_line(t, one, told["words"]["unit"]))
    if told["next_cursor"]:
        typer.echo("  …")
    typer.echo(f"{t('models.waits')} {told['waits']}")
    for one in told["waiting"]:
        now = _or_none(one["now"])
        typer.echo(f"  {one['words']}  {one['name']}  {now} → {one['value']:,}")
    _say_frozen(t, told)


def _line(t: Words, one: dict[str, Any], unit: str) -> str:
    told = f"  {one['words']}  {one['name']}  {one['value']:,} {unit}  {t('model.n')} {one['n']:,}"
    told += f"  {t('model.people')} {one['people']}  {one['since']} – {one['until']}"
    if one["pooled"]:
        told += f"  {t('model.pooled')}"
    if one["ordinary"]:
        edges = " ".join(f"{value:,}" for value, _ in one["ordinary"])
        told += f"  {t('model.ordinary')} {edges}"
    return told


def _say_frozen(t: Words, told: dict[str, Any]) -> None:
    for one in told["words"]["frozen"]:
        typer.echo(f"  {t('models.frozen')} {one}")


def history(
    learner: Learner,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 30,
    data: Data = None,
    server: Server = SERVER,
    lang: Speak = "",
    json: Json = False,
) -> None:
    """Its epochs, the latest first: the day or who did what, what changed, and the hash."""
    say = None if json else spoken(lang)
    if data is None:
        path = f"/api/v1/models/{learner}/epochs"
        told = asked(server, path, {"limit": str(limit)} | _words(say))
    else:
        with _folder(data, say) as (reader, in_force, _, words):
            from detector.learned import epoch_told, read_epoch

            known = _known(in_force, learner)
            rows = reader.epochs_before(learner, None, limit + 1)
            items = [epoch_told(known, read_epoch(row.doc)) for _, row in rows[:limit]]
            if words:
                keys = known.learners[learner].keys
                items = [words.epoch(learner, keys, one) for one in items]
            told = {"items": items, "next_cursor": str(rows[-2][0]) if rows[limit:] else None}
    if say is None:
        print_json(told)
        return
    t = words_of(say)
    for one in told["items"]:
        _say_epoch(t, one)
    typer.echo(f"{t('model.history')} {len(told['items'])}" + (" …" if told["next_cursor"] else ""))


def _say_epoch(t: Words, one: dict[str, Any]) -> None:
    words = one["words"]
    who = f" {words['actor']}: {words['reason']}" if words["actor"] else ""
    counts = t(
        "model.epoch", limits=one["limits_in_force"], changed=one["changed_in_all"],
        waits=len(one["waiting"]), observed=one["observed"],
    )  # fmt: skip
    typer.echo(
        f"{one['day']}  {words['cause']}{who}  {counts}"
        f"  {t('models.frozen')} {len(one['frozen'])}  {one['sha256'][:16]}"
    )
    pairs = zip(one["changed"], words["changed"], strict=True)
    for move, name in list(pairs)[:CHANGED_SHOWN]:
        typer.echo(f"    {name}  {move['name']}  {_or_none(move['old'])} → {_or_none(move['new'])}")
    if one["changed_in_all"] > CHANGED_SHOWN:
        typer.echo("    …")


def _or_none(value: int | None) -> str:
    return "—" if value is None else f"{value:,}"


def _words(lang: Lang | None) -> dict[str, str]:
    """What the interface is asked for besides."""
    return {"words": lang} if lang else {}


# -- what people do ----------------------------------------------------------------------------


def approve(
    learner: Learner, reason: Reason, key: Key = "", actor: Actor = "local", server: Server = SERVER
) -> None:
    """Let what waits come into force (批准): one limit, or all."""
    _act(server, learner, "approve", actor, reason, key=key)


def reject(
    learner: Learner, reason: Reason, key: Key = "", actor: Actor = "local", server: Server = SERVER
) -> None:
    """Keep what is in force (不批准): one limit, or all that waits."""
    _act(server, learner, "reject", actor, reason, key=key)


def rollback(
    learner: Learner,
    reason: Reason,
    to: Annotated[str, typer.Option(help="The day whose limits come back; the day before.")] = "",
    actor: Actor = "local",
    server: Server = SERVER,
) -> None:
    """Bring the limits of a day back (回退); the learner then stands still until it is thawed."""
    _act(server, learner, "rollback", actor, reason, to=to)


def freeze(
    learner: Learner,
    reason: Reason,
    key: Annotated[str, typer.Option(help="Of one name, an item for one; default all.")] = "",
    actor: Actor = "local",
    server: Server = SERVER,
) -> None:
    """Let its limits stand still (冻结)."""
    _act(server, learner, "freeze", actor, reason, key=key)


def thaw(learner: Learner, reason: Reason, actor: Actor = "local", server: Server = SERVER) -> None:
    """Let its limits move again (解冻)."""
    _act(server, learner, "thaw", actor, reason)


def _act(server: str, learner: str, act: str, actor: str, reason: str, **more: str) -> None:
    told = {"act": act, "actor": actor, "reason": reason} | {k: v for k, v in more.items() if v}
    done = asked(server, f"/api/v1/models/{learner}/acts", body=told)
    if "limits_in_force" not in done:
        typer.echo(f"{learner}: {act}: 已受理，随时钟生效 taken, in force with the clock")
        return
    typer.echo(
        f"{learner}: {act}: 界限 limits {done['limits_in_force']}  待批 waiting {done['waits']}"
        f"  冻结 frozen {len(done['frozen'])}"
    )


# -- where it is read --------------------------------------------------------------------------


def _all_limits(server: str, learner: str, query: dict[str, str], limit: int) -> dict[str, Any]:
    """The card with so many of its limits, page after page."""
    path, told = f"/api/v1/models/{learner}", dict[str, Any]()
    limits = list[Any]()
    cursor: str | None = ""
    while cursor is not None and len(limits) < limit:
        more = {"limit": str(min(limit - len(limits), 500))} | (
            {"cursor": cursor} if cursor else {}
        )
        told = asked(server, path, query | more)
        limits += told["limits"]
        cursor = told["next_cursor"]
    return told | {"limits": limits}


def _shown(
    data: Path, learner: str, query: dict[str, str], limit: int, say: Lang | None
) -> dict[str, Any]:
    with _folder(data, say) as (_, in_force, told_of, words):
        from detector.learned import everything, limit_told, wanted, whole

        known = _known(in_force, learner)
        card, told = known.learners[learner], told_of(learner, _day(query.pop("day", "")))
        odd = [name for name in query if name not in ("key", *card.keys)]
        if odd:
            refuse(
                f"--{odd[0]}: limits of {learner} are told by {', '.join(card.keys) or 'nothing'}"
            )
        some = wanted(told.limits, card.keys, query, everything)
        limits = [limit_told(card.keys, card.unit, one) for one in some[:limit]]
        more = limits[-1]["name"] if len(some) > limit else None
        shown = whole(known, learner, told) | {"limits": limits, "next_cursor": more}
        return words.card(shown, told) if words else shown


def _day(text: str) -> int | None:
    from datetime import date

    from detector.values import day_of_date

    try:
        return day_of_date(date.fromisoformat(text)) if text else None
    except ValueError:
        refuse("--day: is no day: write 2026-03-02")


def _known(in_force: InForce | None, learner: str) -> InForce:
    if in_force is None:
        refuse("this district does not learn: [learning] on = true in district.toml")
    if learner not in in_force.learners:
        refuse(f"{learner}: no such learner is on; there are {', '.join(in_force.learners)}")
    return in_force


Opened = tuple["Reading", "InForce | None", "Callable[..., Told]", "ModelWords | None"]


@contextmanager
def _folder(data: Path, lang: Lang | None) -> Iterator[Opened]:
    """A data folder's ledger, the learners in force there, what their epochs come to, and who puts
    it into words."""
    from detector.learned import fold
    from detector.learning.told import Told
    from detector.ledger import LedgerError
    from detector.ledger.sqlite_file import FILE, open_reader
    from detector.live.contents import contents_until

    with spoken_faults():
        try:
            reader = open_reader(data / FILE)
            content = contents_until(reader, 1 << 62)[-1].content
        except LedgerError as fault:
            refuse(str(fault))
        engine = content.engine()
        desk = engine.learn_desk

    def told_of(name: str, day: int | None = None) -> Told:
        return fold(reader, name, Told(), until_day=day)[1]

    try:
        from detector.web.model_words import ModelWords

        words = ModelWords(engine, lang) if lang else None
        yield reader, desk.in_force if desk else None, told_of, words
    finally:
        reader.close()
