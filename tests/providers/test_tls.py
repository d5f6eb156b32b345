"""TLS on real sockets: whom it trusts, how a handshake fails, and reads that wait below it."""

from __future__ import annotations

import asyncio
import ssl

import httpx2
import pytest

from tests.providers.scripted_server import ScriptedServer, saying, whole
from tests.providers.transport_client import JSON, client, read_paced, ticking


@pytest.mark.usefixtures("trusted")
async def test_a_trusted_certificate_is_enough(tls: ssl.SSLContext) -> None:
    """What SSL_CERT_FILE names is trusted, as a company's own authority needs; the connection is kept."""
    async with ScriptedServer(saying(whole(200, JSON, b"{}")), tls) as server, client() as ours:
        for _ in range(3):
            assert (await ours.get(server.url)).content == b"{}"
        assert len(server.wires) == 1


async def test_an_unknown_certificate_is_refused_by_its_own_name(tls: ssl.SSLContext) -> None:
    """F31: the cause can be told apart from a broken connection."""
    async with ScriptedServer(saying(b""), tls) as server, client() as ours:
        with pytest.raises(httpx2.ConnectError) as caught:
            await ours.get(server.url)
        assert isinstance(caught.value.__context__, ssl.SSLCertVerificationError)
        assert server.received == []


@pytest.mark.usefixtures("trusted")
async def test_pacing_stands_below_tls(tls: ssl.SSLContext) -> None:
    """One TLS record an event is the real case: a paced read takes what the kernel has, however many records that is,
    and the socket is read once a tick and not once a record."""
    async with (
        ScriptedServer(ticking(60, 0.005), tls) as server,
        client() as ours,
        ours.stream("GET", server.url) as response,
    ):
        body, wakings = await read_paced(response)
    assert body == b"data: 1\n\n" * 60
    assert wakings < 20  # about five; sixty without a pace


class DeafServer:
    """Takes connections and bytes and never says anything: no TLS, no HTTP; then it does what it is told to do."""

    def __init__(self, then: str = "wait") -> None:
        self._then = then
        self.heard = asyncio.Event()
        self.left = asyncio.Event()
        self.port = 0

    async def __aenter__(self) -> DeafServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        self.heard.set()
        if self._then == "close":
            writer.close()
        while await reader.read(65536):
            pass
        self.left.set()
        writer.close()


async def test_a_handshake_that_nobody_answers_runs_into_the_connect_timeout() -> None:
    """F1: a connection is made when it is encrypted, not when the socket is open; what failed is closed."""
    async with DeafServer() as server, client() as ours:
        with pytest.raises(httpx2.ConnectTimeout, match="handshake"):
            await ours.get(f"https://127.0.0.1:{server.port}", timeout=httpx2.Timeout(None, connect=0.1))
        async with asyncio.timeout(2):
            await server.left.wait()


async def test_a_handshake_that_breaks_is_no_bad_certificate() -> None:
    """F31: a connection that is lost in the handshake can be tried again."""
    async with DeafServer(then="close") as server, client() as ours:
        with pytest.raises(httpx2.ConnectError) as caught:
            await ours.get(f"https://127.0.0.1:{server.port}")
        assert not isinstance(caught.value.__context__, ssl.SSLCertVerificationError)


async def test_a_handshake_that_is_cancelled_closes_its_connection() -> None:
    """A clock or a drain that strikes in the handshake leaves no socket behind."""
    async with DeafServer() as server, client() as ours:
        task = asyncio.create_task(ours.get(f"https://127.0.0.1:{server.port}"))
        async with asyncio.timeout(2):
            await server.heard.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await server.left.wait()
