"""What a provider answers, and as what it is told: answers, pages, refusals, broken bodies."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path

import orjson
import pytest

from batchrun.failure import Cause, Failure
from tests.providers.conversation import (
    ANSWER,
    CANARY,
    body_of,
    conversation,
    failure_by,
    reply_to,
)
from tests.providers.fakes import JSON, STREAM
from tests.providers.scripted_server import (
    Received,
    Wire,
    error_body,
    head,
    saying,
    stream,
    whole,
)
from tests.stream.events import document

PAGE = b"<html><body>Bad gateway</body></html>"


@pytest.mark.parametrize("content_type", ["text/html", "text/plain; charset=utf-8", "", "text/html; " + "x" * 5000])
async def test_some_gateways_page_is_no_answer(content_type: str, key_file: Path) -> None:
    """F14: a captive portal too says 200."""
    failure = await failure_by(saying(whole(200, content_type, PAGE)), key_file)
    assert (failure.cause, failure.status) == (Cause.SERVER_ERROR, 200)


@pytest.mark.parametrize("status", [502, 504, 520, 524, 599])
async def test_a_gateways_error_page_is_kept_in_part_and_scrubbed(status: int, key_file: Path) -> None:
    """F14: at most 2 KB of it, in one line, and without the key that it may have echoed."""
    page = b"<html>\n<pre>authorization: Bearer " + CANARY.encode() + b"\n" + b"x" * 100_000
    failure = await failure_by(saying(whole(status, "text/html", page)), key_file, echoes=True)
    assert (failure.cause, failure.status) == (Cause.SERVER_ERROR, status)
    assert failure.message.startswith("<html> <pre>authorization: Bearer *** x")


@pytest.mark.parametrize("status", [400, 429, 500])
@pytest.mark.parametrize("how", ["closed", "reset"])
async def test_an_error_whose_body_breaks_is_a_broken_connection(status: int, how: str, key_file: Path) -> None:
    """F6 holds for the error's own body too: it is asked again, and is no bug of ours."""

    async def script(wire: Wire, request: Received) -> None:
        await wire.send(head(status, JSON, content_length="100") + b'{"type"')
        await asyncio.sleep(0.01)
        wire.close() if how == "closed" else wire.reset()

    failure = await failure_by(script, key_file)
    assert failure.cause is Cause.BROKEN


async def test_an_error_is_told_in_the_providers_words(key_file: Path) -> None:
    """The message is the API's, the request id is kept for the support's sake."""
    body = error_body("invalid_request_error", "messages: at least one is required")
    failure = await failure_by(saying(whole(400, JSON, body)), key_file)
    assert failure == Failure(Cause.BAD_REQUEST, "messages: at least one is required", status=400, request_id="req_1")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"retry_after": "90"}, 90.0), ({"retry_after_ms": "1500"}, 1.5), ({}, None)],
    ids=str,
)
async def test_the_wish_to_wait_is_heard(headers: dict[str, str], seconds: float | None, key_file: Path) -> None:
    """F15: seconds, also above a minute, and milliseconds; the SDK's own retries stay off whatever the server wants."""
    refusal = whole(429, JSON, error_body("rate_limit_error"), x_should_retry="true", **headers)
    failure = await failure_by(saying(refusal), key_file)
    assert (failure.cause, failure.retry_after) == (Cause.RATE_LIMITED, seconds)


@pytest.mark.parametrize("status", [400, 429])
async def test_a_spend_limit_is_no_rate_limit(status: int, key_file: Path) -> None:
    """F16, F18: it lasts for weeks, whatever its status."""
    error = {"type": "x", "message": "spent", "details": {"error_code": "enforced_spend_limit_reached"}}
    body = orjson.dumps({"type": "error", "error": error})
    assert (await failure_by(saying(whole(status, JSON, body)), key_file)).cause is Cause.QUOTA


async def test_a_compressed_stream_is_decoded(key_file: Path) -> None:
    """F27: a gateway may compress what was asked for as it is."""
    packed = stream(gzip.compress(ANSWER), content_encoding="gzip")
    async with conversation(saying(packed), key_file) as (_, provider):
        assert await body_of(provider) == ANSWER


async def test_a_compressed_stream_that_is_broken_is_broken(key_file: Path) -> None:
    """What cannot be unpacked is a failure of the wire."""
    packed = stream(b"no gzip at all", content_encoding="gzip")
    assert (await failure_by(saying(packed), key_file)).cause is Cause.BROKEN


async def test_json_is_told_apart_from_a_stream(key_file: Path) -> None:
    """F13: by its content type, though a stream was asked for."""
    script = saying(whole(200, "Application/JSON; charset=utf-8", document("Hi")))
    async with conversation(script, key_file) as (_, provider), reply_to(provider) as reply:
        assert not reply.is_stream


@pytest.mark.parametrize("content_type", [STREAM, "text/event-stream", "Text/Event-Stream"])
async def test_a_stream_is_known_by_its_type(content_type: str, key_file: Path) -> None:
    """With or without a charset, in any case."""
    script = saying(whole(200, content_type, ANSWER))
    async with conversation(script, key_file) as (_, provider), reply_to(provider) as reply:
        assert reply.is_stream
        assert repr(reply) == "<HttpReply req_1>"
