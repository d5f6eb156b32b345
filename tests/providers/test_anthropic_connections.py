"""Connections that cannot be made, and those that are kept, cancelled and closed."""

from __future__ import annotations

import asyncio
import resource
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from batchrun.failure import AttemptFailed, Cause
from batchrun.providers.anthropic import AnthropicProvider
from batchrun.providers.provider import BackendConfig, Request
from tests.providers.conversation import (
    ANSWER,
    BODY,
    NobodyWatches,
    body_of,
    conversation,
    failure_by,
    failure_of,
    provider_for,
    reply_to,
)
from tests.providers.fakes import JSON
from tests.providers.scripted_server import (
    LAST_CHUNK,
    Received,
    Wire,
    chunk,
    saying,
    stream,
    stream_head,
    whole,
)
from tests.stream.events import answer, on_the_wire


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


async def test_a_refused_connection_names_the_address(key_file: Path) -> None:
    """F30: ECONNREFUSED is told with host, port and the kernel's word."""
    port = unused_port()
    async with provider_for(BackendConfig(base_url=f"http://127.0.0.1:{port}", key_file=key_file)) as provider:
        failure = await failure_of(provider)
    assert failure.cause is Cause.CONNECT
    assert f"127.0.0.1:{port}" in failure.message
    assert "111" in failure.message or "61" in failure.message


async def test_a_connection_that_nobody_answers_is_none(black_hole: int, key_file: Path) -> None:
    """F1: the connect clock is given with each request; what it ends is a failure to connect."""
    async with provider_for(BackendConfig(base_url=f"http://127.0.0.1:{black_hole}", key_file=key_file)) as provider:
        with pytest.raises(AttemptFailed, match=r"within 0\.1 s") as caught:
            await provider.open(Request(BODY), 0.1, NobodyWatches()).__aenter__()
    assert caught.value.failure.cause is Cause.CONNECT


@pytest.fixture
def two_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name service that knows two addresses of api.test, as there are of every large provider."""
    resolve = socket.getaddrinfo

    def both(host: str | bytes, port: int, *args: Any, **kwargs: Any) -> list[Any]:
        if host not in ("api.test", b"api.test"):
            return list(resolve(host, port, *args, **kwargs))
        return [answer for ip in ("127.0.0.1", "127.0.0.2") for answer in resolve(ip, port, *args, **kwargs)]

    monkeypatch.setattr(socket, "getaddrinfo", both)


@pytest.fixture
def no_more_files() -> Iterator[None]:
    """Not one file more may be opened."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as highest:
        limit = highest.fileno()
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("two_addresses")
async def test_when_no_address_answers_each_is_told(key_file: Path) -> None:
    """All addresses of the name were tried, and the cause is that of them all."""
    backend = BackendConfig(base_url=f"http://api.test:{unused_port()}", key_file=key_file, insecure_http=True)
    async with provider_for(backend) as provider:
        failure = await failure_of(provider)
    assert failure.cause is Cause.CONNECT
    assert "127.0.0.1" in failure.message
    assert "127.0.0.2" in failure.message


@pytest.mark.usefixtures("two_addresses")
@pytest.mark.parametrize("host", ["127.0.0.1", "api.test"])
async def test_too_many_open_files_are_our_own_trouble(
    host: str, key_file: Path, request: pytest.FixtureRequest
) -> None:
    """F29: local, however many addresses were tried: the gate shrinks and no item fails."""
    backend = BackendConfig(base_url=f"http://{host}:{unused_port()}", key_file=key_file, insecure_http=True)
    async with provider_for(backend) as provider:
        await failure_of(provider)  # once before, so that threads and codecs are there
        request.getfixturevalue("no_more_files")
        failure = await failure_of(provider)
    assert (failure.cause, failure.message) == (Cause.LOCAL, "too many open files")


async def test_a_certificate_that_is_not_trusted_is_configuration(tls: ssl.SSLContext, key_file: Path) -> None:
    """F31: it will be no better in a minute."""
    async with conversation(saying(b""), key_file, tls) as (_, provider):
        failure = await failure_of(provider)
    assert failure.cause is Cause.TLS
    assert "certificate verify failed" in failure.message


@pytest.mark.usefixtures("trusted")
async def test_a_trusted_certificate_is_enough(tls: ssl.SSLContext, key_file: Path) -> None:
    """One TLS record an event, and every one of them read."""

    async def script(wire: Wire, request: Received) -> None:
        await wire.send(stream_head())
        for event in answer("Hel", "lo"):
            await wire.send(chunk(on_the_wire(event)))
        await wire.send(LAST_CHUNK)

    async with conversation(script, key_file, tls) as (server, provider):
        for _ in range(2):
            assert await body_of(provider) == on_the_wire(*answer("Hel", "lo"))
        assert len(server.wires) == 1


async def test_a_server_that_leaves_before_the_head_is_a_broken_connection(key_file: Path) -> None:
    """The request was on its way: that is no failure to connect."""

    async def script(wire: Wire, request: Received) -> None:
        wire.reset()

    failure = await failure_by(script, key_file)
    assert (failure.cause, failure.is_unanswered) == (Cause.BROKEN, True)


async def test_what_is_no_http_is_a_broken_connection(key_file: Path) -> None:
    """Another service on that port, say."""
    assert (await failure_by(saying(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), key_file)).cause is Cause.BROKEN


# -- connections ------------------------------------------------------------------------------------------------------


async def test_the_next_request_on_a_kept_connection_is_served_at_once(key_file: Path) -> None:
    """The pace of one attempt is gone before the next one begins on its connection."""
    async with conversation(saying(stream(ANSWER)), key_file) as (server, provider):
        async with asyncio.timeout(5):
            for _ in range(3):
                async with reply_to(provider) as reply:
                    async for _ in reply.chunks():
                        reply.pace(0.001)
                    reply.pace(60.0)
        assert [request.connection for request in server.received] == [0, 0, 0]


async def test_a_warmed_connection_serves_the_next_request(key_file: Path) -> None:
    """What was opened before the first item is what the first item uses."""

    async def script(wire: Wire, request: Received) -> None:
        await wire.send(stream(ANSWER) if request.method == "POST" else whole(200, JSON, b"{}"))

    async with conversation(script, key_file) as (server, provider):
        await provider.warm(5.0)
        assert await body_of(provider) == ANSWER
        assert [request.connection for request in server.received] == [0, 0]


@pytest.mark.parametrize("trouble", ["nobody listens", "no answer", "an error"])
async def test_a_connection_that_cannot_be_warmed_holds_nobody_up(trouble: str, key_file: Path) -> None:
    """It is the first item's trouble, in its own time; the run begins."""

    async def script(wire: Wire, request: Received) -> None:
        if trouble == "no answer":
            await wire.until_the_client_goes()
        await wire.send(whole(500, JSON, b"{}"))

    async with asyncio.timeout(5), conversation(script, key_file) as (server, _):
        port = unused_port() if trouble == "nobody listens" else server.port
        async with provider_for(BackendConfig(base_url=f"http://127.0.0.1:{port}", key_file=key_file)) as provider:
            await provider.warm(0.1)


@pytest.mark.parametrize("stage", ["before the head", "in the body", "in a pause of the pacer"])
async def test_a_cancelled_request_closes_its_connection(stage: str, key_file: Path) -> None:
    """The server sees the end: nothing goes on being generated, and paid, for nobody."""
    began = asyncio.Event()

    async def script(wire: Wire, request: Received) -> None:
        if stage != "before the head":
            await wire.send(stream_head() + chunk(ANSWER))
        began.set()
        await wire.until_the_client_goes()

    async def ask(provider: AnthropicProvider) -> None:
        async with reply_to(provider) as reply:
            async for _ in reply.chunks():
                if stage == "in a pause of the pacer":
                    reply.pace(60.0)

    async with asyncio.timeout(5), conversation(script, key_file) as (server, provider):
        task = asyncio.create_task(ask(provider))
        await began.wait()
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.wires[0].went.wait()


async def test_closing_the_provider_closes_its_connections(key_file: Path) -> None:
    """Nothing is left open at the end of a run."""
    async with asyncio.timeout(5), conversation(saying(stream(ANSWER)), key_file) as (server, provider):
        await body_of(provider)
        await provider.close()
        await server.wires[0].went.wait()


async def test_a_failure_in_mid_stream_leaves_no_task_and_no_connection(key_file: Path) -> None:
    """Whoever stops reading because the bytes are nonsense has nothing more to clean up."""

    async def script(wire: Wire, request: Received) -> None:
        await wire.send(stream_head() + chunk(ANSWER))
        await wire.until_the_client_goes()

    class Nonsense(Exception):
        """The reader has had enough."""

    async def read_one_piece(provider: AnthropicProvider) -> None:
        async with reply_to(provider) as reply:
            async for _ in reply.chunks():
                raise Nonsense

    async with asyncio.timeout(5), conversation(script, key_file) as (server, provider):
        with pytest.raises(Nonsense):
            await read_one_piece(provider)
        await server.wires[0].went.wait()
    await asyncio.sleep(0.01)
    assert asyncio.all_tasks() == {asyncio.current_task()}
