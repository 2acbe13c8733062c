"""Text messages over SMPP 3.4, against a gateway that is a process of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from channels_kit import TEXT, message, sent
from gateways.smpp import SmppGateway

from detector.adapters.smpp import SmppOut
from detector.adapters.smpp_parts import Parts
from detector.delivery import Outcome, Receipt

LONG = "长" * 150  # three parts
BASE = "1390000"


def smpp(port: int, bind_s: float = 5.0, **more: Any) -> SmppOut:
    how = {"host": "127.0.0.1", "port": port, "system_id": "oriole", "from": "1069", **more}
    return SmppOut("smpp", how, "pw", bind_s)


def run(port: int, work: Callable[[SmppOut], Awaitable[Any]], **more: Any) -> Any:
    """What some work with a channel comes to."""

    async def whole() -> Any:
        channel = smpp(port, **more)
        try:
            return await work(channel)
        finally:
            await channel.close()

    return asyncio.run(whole())


async def hear(channel: SmppOut, count: int = 1) -> list[Receipt]:
    return [await asyncio.wait_for(channel.heard(), 10) for _ in range(count)]


def text_of(got: list[dict[str, Any]]) -> str:
    """The text of a message from its parts."""
    data = [bytes.fromhex(one["data"])[6 if one["parts"] else 0 :] for one in got]
    return b"".join(data).decode("utf-16-be")


def test_chinese_goes_whole_or_in_parts_and_arrives_when_all_of_it_has():
    async def work(channel: SmppOut) -> tuple[list[Outcome], list[Receipt]]:
        first = await channel.send(message())
        heard = await hear(channel)
        second = await channel.send(message("n1.2", text=LONG))
        return [first, second], heard + await hear(channel)

    with SmppGateway() as gateway:
        told, heard = run(gateway.port, work, signature="示例区")
        assert told[0].verdict == "sent"
        assert [o.gateway_id for o in told] == ["1", "2"]
        assert [(r.status, r.code) for r in heard] == [("delivered", "DELIVRD")] * 2
        assert (heard[0].gateway_id, heard[1].message_id) == ("1", "n1.2")
        got = gateway.until(lambda some: len(some) == 4)
        assert text_of(got[:1]) == "【示例区】" + TEXT and not got[0]["parts"]
        assert text_of(got[1:]) == "【示例区】" + LONG
        assert {(one["coding"], one["asked"], one["ton"]) for one in got} == {(8, 1, 0)}
        heads = [bytes.fromhex(one["data"])[:6] for one in got[1:]]
        assert [head[:3] + head[4:] for head in heads] == [
            bytes([5, 0, 3, 3, place]) for place in (1, 2, 3)
        ]
        assert len({head[3] for head in heads}) == 1
        assert all(len(bytes.fromhex(one["data"])) <= 140 for one in got)


def test_a_repeat_bears_the_same_reference():
    async def work(channel: SmppOut) -> Any:
        return [await channel.send(message(text=LONG)) for _ in range(2)]

    with SmppGateway() as gateway:
        run(gateway.port, work)
        run(gateway.port, work)  # also after a restart
        got = gateway.until(lambda some: len(some) == 12)
        assert len({bytes.fromhex(one["data"])[3] for one in got}) == 1


def test_what_a_gateway_does_is_told_apart():
    async def work(channel: SmppOut) -> list[Outcome]:
        keys = ["1001", "1001", "1002"]
        return [await channel.send(message(f"n{k}", BASE + k)) for k in keys]

    with SmppGateway() as gateway:
        told = run(gateway.port, work)
        assert told[0] == Outcome("retry", "0x58", retry_after_s=10)
        assert (told[1].verdict, told[2]) == ("sent", Outcome("refused", "0xb"))


def test_a_retry_goes_on_with_the_part_that_was_not_taken():
    async def work(channel: SmppOut) -> tuple[list[Outcome], list[Receipt]]:
        told = [await channel.send(message(to=BASE + "1003", text=LONG)) for _ in range(2)]
        return told, await hear(channel)

    with SmppGateway() as gateway:
        told, [heard] = run(gateway.port, work)
        assert (told[0].verdict, told[0].code) == ("unknown", "0x58")
        assert told[1].verdict in ("sent", "delivered")
        assert (heard.status, heard.message_id) == ("delivered", "n1.1")
        got = gateway.until(lambda some: len(some) == 3)
        assert text_of(got) == LONG


def test_what_does_not_arrive_has_failed():
    async def work(channel: SmppOut) -> list[Receipt]:
        await channel.send(message(to=BASE + "1004"))
        return await hear(channel)

    with SmppGateway() as gateway:
        [heard] = run(gateway.port, work)
        assert (heard.status, heard.code) == ("failed", "UNDELIV")


def test_a_receipt_in_parameters_counts_and_what_a_person_writes_does_not():
    async def work(channel: SmppOut) -> tuple[Outcome, list[Receipt]]:
        return await channel.send(message(to=BASE + "1006")), await hear(channel)

    with SmppGateway() as gateway:
        told, [heard] = run(gateway.port, work)
        assert (heard.status, heard.gateway_id) == ("delivered", told.gateway_id)
        assert heard.gateway_id == "1"


def test_a_connection_that_breaks_is_made_anew():
    async def work(channel: SmppOut) -> tuple[Outcome, Outcome, list[Receipt]]:
        first = await channel.send(message(to=BASE + "1005"))
        second = await channel.send(message("n1.2"))
        return first, second, await hear(channel)

    with SmppGateway() as gateway:
        first, second, [heard] = run(gateway.port, work)
        assert (first.verdict, first.code) == ("unknown", "disconnected")
        assert second.verdict in ("sent", "delivered")
        assert heard.gateway_id == second.gateway_id


def test_who_waits_for_receipts_binds_by_himself():
    async def work(channel: SmppOut) -> Any:
        hearing = asyncio.create_task(channel.heard())
        await asyncio.wait_for(channel.bound.wait(), 10)
        told = await channel.send(message())
        return told, await asyncio.wait_for(hearing, 10)

    with SmppGateway() as gateway:
        told, heard = run(gateway.port, work)
        assert heard.gateway_id == told.gateway_id == "1"


def test_many_go_at_once_over_one_connection():
    async def work(channel: SmppOut) -> list[Outcome]:
        keys = [f"n{n}" for n in range(100)]
        return await asyncio.gather(*(channel.send(message(key)) for key in keys))

    with SmppGateway() as gateway:
        told = run(gateway.port, work)
        assert {o.verdict for o in told} == {"sent"}
        assert len({o.gateway_id for o in told}) == 100


def test_nobody_there_and_nobody_who_lets_us_bind_are_no_bind():
    assert sent(smpp(1), message())[0] == Outcome(
        "retry", "no_bind", "the gateway did not let us bind"
    )

    async def work(channel: SmppOut) -> list[Outcome]:
        loop = asyncio.get_running_loop()
        begin = loop.time()
        told = await asyncio.gather(*(channel.send(message(f"n{n}")) for n in range(20)))
        assert loop.time() - begin < 5  # those who waited do not try again, one after the other
        return told

    with SmppGateway(deaf=True) as gateway:
        assert {o.code for o in run(gateway.port, work, bind_s=0.5)} == {"no_bind"}


# --- parts, without a gateway ----------------------------------------------------------------


def test_a_receipt_before_its_answer_counts():
    parts = Parts()
    whole = parts.of("m", 2)
    parts.took(whole, "a")
    assert parts.heard(Receipt("delivered", gateway_id="b")) is not None  # not known yet
    parts.took(whole, "b")
    assert not whole.arrived
    told = parts.heard(Receipt("delivered", gateway_id="a", code="DELIVRD"))
    assert told == Receipt("delivered", "m", "a", "DELIVRD") and whole.arrived


def test_one_failed_part_fails_the_message():
    parts = Parts()
    whole = parts.of("m", 2)
    parts.took(whole, "a")
    parts.took(whole, "b")
    assert parts.heard(Receipt("delivered", gateway_id="a")) is None
    assert parts.heard(Receipt("failed", gateway_id="b")) == Receipt("failed", "m", "a")


@pytest.mark.parametrize("kept", [1, 3])
def test_memory_is_bounded(kept):
    parts = Parts(kept)
    for n in range(100):
        parts.took(parts.of(f"m{n}", 1), f"g{n}")
        parts.heard(Receipt("delivered", gateway_id=f"other{n}"))
    assert (len(parts._messages), len(parts._ids), len(parts._early)) == (kept, kept, kept)
    old = Receipt("delivered", gateway_id="g0")
    assert parts.heard(old) == old  # told by the gateway's name alone
