"""Chat completions over connections that break, fall silent, stutter, are kept: one attempt from the request to its
end, on a real wire."""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import Awaitable, Callable

import orjson
import pytest

from batchrun.failure import Cause, Failure
from batchrun.stream.message import Message
from tests.providers.chat_server import ANSWER, WHOLE, answer_of, ask, conversation, failure_of, provider_for, saying
from tests.providers.fakes import STREAM
from tests.providers.scripted_server import LAST_CHUNK, Received, Script, Wire, chunk, stream, stream_head, whole
from tests.stream.chunks import DONE, HEAD, answer, on_the_wire, role, text, usage
from tests.stream.chunks import chunk as event

Then = Callable[[Wire], Awaitable[None]]  # what a server does after the beginning of a stream

HALF = on_the_wire(role(), text("Half"), text(" an "))  # 2 tokens by their length
FINISHED = on_the_wire(role(), text("Hello"), event(finish="stop"))


async def ends(wire: Wire) -> None:
    await wire.send(LAST_CHUNK)


async def resets(wire: Wire) -> None:
    wire.reset()


async def falls_silent(wire: Wire) -> None:
    await wire.until_the_client_goes()


def repeats(piece: bytes) -> Then:
    async def then(wire: Wire) -> None:
        while True:
            await asyncio.sleep(0.05)
            await wire.send(chunk(piece))

    return then


def goes_on_with(body: bytes) -> Then:
    async def then(wire: Wire) -> None:
        await wire.send(chunk(body) + LAST_CHUNK)

    return then


def beginning(body: bytes, then: Then = ends) -> Script:
    """A stream that begins so."""

    async def script(wire: Wire, request: Received) -> None:
        await wire.send(stream_head() + (chunk(body) if body else b""))
        await then(wire)

    return script


FAILURES: dict[str, tuple[Script, Cause, int]] = {
    "breaks in mid-answer": (beginning(HALF, resets), Cause.BROKEN, 2),
    "ends without an end": (beginning(HALF), Cause.TRUNCATED, 2),
    "ends in mid-event": (beginning(HALF, goes_on_with(on_the_wire(text("more"))[:-20])), Cause.TRUNCATED, 2),
    "ends at once": (beginning(b""), Cause.TRUNCATED, 0),
    "says done and nothing else": (beginning(on_the_wire(DONE)), Cause.TRUNCATED, 0),
    "sends garbage": (beginning(HALF, goes_on_with(b"data: {oops}\n\n")), Cause.PROTOCOL, 2),
    "gives up": (
        beginning(HALF, goes_on_with(on_the_wire(HEAD | {"error": {"message": "no", "code": 529}}))),
        Cause.OVERLOADED,
        2,
    ),
    "falls silent": (beginning(HALF, falls_silent), Cause.SILENT, 2),
    "sends only comments": (beginning(HALF, repeats(b": PROCESSING\n\n")), Cause.STALLED, 2),
    "sends only empty chunks": (beginning(HALF, repeats(on_the_wire(event()))), Cause.STALLED, 2),
    "stalls after headers": (beginning(b"", falls_silent), Cause.FIRST_BYTE, 0),
}


@pytest.mark.parametrize("case", FAILURES)
async def test_an_attempt_that_fails_has_its_cause_and_its_waste(case: str) -> None:
    """F2, F3, F6, F9, F10, F25: as on the other wire; and the connection is closed."""
    script, cause, tokens = FAILURES[case]
    async with conversation(script) as (server, provider):
        told = await failure_of(provider)
    assert (told.cause, told.partial_tokens) == (cause, tokens)
    assert told.message
    assert len(server.received) == 1


FINISHES: dict[str, tuple[Script, tuple[str, ...]]] = {
    "ends after the finish_reason": (beginning(FINISHED), ("no_done", "usage_estimated")),
    "breaks after the finish_reason": (beginning(FINISHED, resets), ("no_done", "usage_estimated")),
    "falls silent after the finish_reason": (beginning(FINISHED, falls_silent), ("no_done", "usage_estimated")),
    "breaks after the usage": (beginning(FINISHED + on_the_wire(usage()), resets), ("no_done",)),
    "falls silent after the end": (beginning(FINISHED + on_the_wire(usage(), DONE), falls_silent), ()),
    "leaves the finish_reason out": (
        beginning(on_the_wire(role(), text("Hello"), usage(), DONE), falls_silent),
        ("no_finish_reason",),
    ),
    "leaves the last blank line out": (beginning(on_the_wire(*answer("Hello"))[:-2]), ()),
}


@pytest.mark.parametrize("case", FINISHES)
async def test_an_answer_that_is_whole_stays_so(case: str) -> None:
    """F8, F9: it is paid; what the wire does after it is flagged where something is missing."""
    script, flags = FINISHES[case]
    async with conversation(script) as (_, provider):
        told = await answer_of(provider)
    assert (told.text, told.stop_reason, told.flags) == ("Hello", "end_turn", flags)


async def test_a_stuttering_server_is_understood() -> None:
    """A byte at a time, in chunks of their own, with lines that end in CR LF and no space after the colon."""

    async def script(wire: Wire, request: Received) -> None:
        body = on_the_wire(*answer("Grüße"), field=b"data:").replace(b"\n", b"\r\n")
        await wire.send(stream_head())
        for at in range(len(body)):
            await wire.send(chunk(body[at : at + 1]))
        await wire.send(LAST_CHUNK)

    async with conversation(script) as (_, provider):
        assert (await answer_of(provider)).text == "Grüße"


async def test_a_compressed_stream_is_understood() -> None:
    """F27: some gateway may compress although it was asked not to."""
    body = whole(200, STREAM, gzip.compress(ANSWER), content_encoding="gzip")
    async with conversation(saying(body)) as (_, provider):
        assert (await answer_of(provider)).text == "Hello there"


async def test_connections_are_kept_and_found_unpaced() -> None:
    """After an answer, a refusal and a document the same connection serves the next request."""
    refusal = whole(429, "application/json", b"{}")
    async with conversation(saying(WHOLE, refusal, WHOLE, refusal, WHOLE)) as (server, provider):
        told = [await ask(provider) for _ in range(5)]
    assert [isinstance(one, Message) for one in told] == [True, False, True, False, True]
    assert {request.connection for request in server.received} == {0}


async def test_many_at_once_are_not_mixed_up() -> None:
    """Each gets its own answer."""

    async def script(wire: Wire, request: Received) -> None:
        prompt = orjson.loads(request.body)["messages"][0]["content"]
        await wire.send(stream(on_the_wire(*answer("You asked ", prompt))))

    async with conversation(script) as (_, provider), asyncio.TaskGroup() as group:
        bodies = [{"model": "m", "messages": [{"role": "user", "content": f"Item {nth}"}]} for nth in range(20)]
        tasks = [group.create_task(answer_of(provider, body)) for body in bodies]
    assert [task.result().text for task in tasks] == [f"You asked Item {nth}" for nth in range(20)]


async def test_a_reset_before_the_head_is_a_broken_connection() -> None:
    """F6: there is an address, and nobody knows what became of the request."""

    async def script(wire: Wire, request: Received) -> None:
        wire.reset()

    async with conversation(script) as (_, provider):
        failure = await failure_of(provider)
        assert (failure.cause, failure.is_unanswered) == (Cause.BROKEN, True)


async def test_a_refusal_whose_body_breaks_is_a_broken_connection() -> None:
    """What it would have said is not known."""

    async def script(wire: Wire, request: Received) -> None:
        await wire.send(b"HTTP/1.1 400 Bad\r\ncontent-length: 100\r\n\r\n{")
        wire.close()

    async with conversation(script) as (_, provider):
        failure = await failure_of(provider)
        assert (failure.cause, failure.is_unanswered) == (Cause.BROKEN, False)


@pytest.mark.parametrize(
    ("start", "cause"),
    [
        (b"HTTP/1.1 500 Oops\r\ntransfer-encoding: chunked\r\n\r\n", Cause.SERVER_ERROR),
        (stream_head() + chunk(b"data: {oops}\n\n"), Cause.PROTOCOL),
    ],
    ids=["a refusal without end", "an answer that is garbage"],
)
async def test_what_is_not_read_to_its_end_is_hung_up_on(start: bytes, cause: Cause) -> None:
    """The server sees it at once; nothing is read that nobody needs."""

    hung_up = asyncio.Event()

    async def script(wire: Wire, request: Received) -> None:
        try:
            await wire.send(start)
            while True:
                await wire.send(chunk(b"x" * 10_000))
        finally:
            hung_up.set()

    async with conversation(script) as (_, provider):
        assert (await failure_of(provider)).cause is cause
        async with asyncio.timeout(2):
            await hung_up.wait()


async def test_an_address_where_nobody_listens_is_no_connection() -> None:
    """F1: the message names it."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        async with provider_for(f"http://127.0.0.1:{port}/v1") as provider:
            told = await failure_of(provider)
    assert told.cause is Cause.CONNECT
    assert f"127.0.0.1:{port}" in told.message


@pytest.mark.parametrize("script", [beginning(HALF, falls_silent), saying(b"")], ids=["in the body", "before the head"])
async def test_a_cancelled_attempt_closes_its_connection(script: Script) -> None:
    """The server sees the end at once."""

    async def until_gone(wire: Wire, request: Received) -> None:
        await script(wire, request)
        await wire.until_the_client_goes()

    async with conversation(until_gone) as (server, provider):
        task = asyncio.create_task(ask(provider))
        async with asyncio.timeout(2):
            while not server.received:
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await server.wires[0].went.wait()


async def test_a_connection_can_be_made_beforehand() -> None:
    """The request that follows finds it; what goes wrong with it is seen by whoever needs it."""

    async def script(wire: Wire, request: Received) -> None:
        await wire.send(whole(200, "application/json", b"{}") if request.method == "GET" else WHOLE)

    async with conversation(script) as (server, provider):
        await provider.warm(1.0)
        assert (await answer_of(provider)).text == "Hello there"
    assert [(request.method, request.target, request.connection) for request in server.received] == [
        ("GET", "/v1/models", 0),
        ("POST", "/v1/chat/completions", 0),
    ]


@pytest.mark.parametrize("script", [beginning(b"", falls_silent), beginning(HALF, resets)], ids=["silent", "reset"])
async def test_what_goes_wrong_beforehand_is_told_to_nobody(script: Script) -> None:
    """A server that is not there yet, too."""
    async with conversation(script) as (server, provider):
        await provider.warm(0.1)
        async with asyncio.timeout(2):
            while server.wires[0].is_open:
                await asyncio.sleep(0.001)
    async with provider_for("http://127.0.0.1:1/v1") as provider:
        await provider.warm(0.1)


async def test_a_closed_provider_has_no_connections() -> None:
    """Kept ones are closed with it."""
    async with conversation(saying(WHOLE)) as (server, provider):
        assert not isinstance(await ask(provider), Failure)
        await provider.close()
        async with asyncio.timeout(2):
            await server.wires[0].went.wait()
