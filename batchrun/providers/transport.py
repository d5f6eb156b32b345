"""The wire below the SDK's client: connections, TLS, proxies, and reads that wait.

Pull, don't be pushed: while the reader waits, events gather in the kernel's buffer, TCP itself is the back-pressure,
and one wake-up takes them all. The wait stands below TLS, because there one record an event is the real case. Nothing
here knows what the bytes mean.
"""

from __future__ import annotations

import asyncio
import math
import select
import ssl
from collections.abc import AsyncIterable, Iterable, Mapping
from contextvars import ContextVar
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import anyio
import anyio.abc
import httpcore2
import httpx2
from anyio.streams.tls import TLSAttribute, TLSStream

from batchrun.errors import ConfigError
from batchrun.providers.errand import note_connecting, note_heard, on_errand
from batchrun.providers.provider import LOOPBACK, ConnectionWatch

# The watch of the attempt whose task makes the connection; connections are made inside the task that needs them.
CONNECTION_WATCH: ContextVar[ConnectionWatch | None] = ContextVar("connection_watch", default=None)
PACER = "batchrun_pacer"  # the name under which a connection hands out its pacer
GRID = 0.01  # seconds; without it a hundred streams make a hundred turns of the loop where ten would do
KEEPALIVE_SECONDS = 60.0  # shorter than the idle limits of common proxies
_GONE = (httpcore2.ReadError, httpcore2.WriteError, httpcore2.RemoteProtocolError)


class Pacer:
    """Says how often a connection is read: at most once per `tick` seconds; 0 means as soon as bytes are there."""

    __slots__ = ("_next_read", "tick")

    def __init__(self) -> None:
        self.tick = 0.0
        self._next_read = 0.0

    def __repr__(self) -> str:
        return f"<Pacer {self.tick * 1000:.0f} ms>"

    async def wait(self) -> None:
        if self.tick <= 0:
            return
        now = asyncio.get_running_loop().time()
        if self._next_read > now:
            await asyncio.sleep(self._next_read - now)
            now = self._next_read
        # On a common grid, so that one turn of the loop wakes many streams.
        self._next_read = math.ceil((now + self.tick) / GRID) * GRID


class PacedByteStream(anyio.abc.ByteStream):
    """A TCP stream that is read when its pacer says so. While nobody reads, anyio leaves the bytes in the kernel."""

    def __init__(self, stream: anyio.abc.ByteStream) -> None:
        self._stream = stream
        self.pacer = Pacer()

    @property
    def extra_attributes(self) -> Mapping[Any, Any]:
        return self._stream.extra_attributes

    async def receive(self, max_bytes: int = 65536) -> bytes:
        await self.pacer.wait()
        return await self._stream.receive(max_bytes)

    async def send(self, item: bytes) -> None:
        await self._stream.send(item)

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    async def aclose(self) -> None:
        await self._stream.aclose()


class PacedNetworkStream(httpcore2.AsyncNetworkStream):
    """httpcore's view of a connection, plain or TLS, over a `PacedByteStream`."""

    def __init__(self, stream: anyio.abc.ByteStream, paced: PacedByteStream) -> None:
        self._stream = stream
        self._paced = paced

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        # No timeout of its own: the attempt's clocks run beside the read.
        try:
            data = await self._stream.receive(max_bytes)
        except anyio.EndOfStream:
            return b""
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, ssl.SSLError) as exc:
            raise httpcore2.ReadError(str(exc.__cause__ or exc)) from exc
        note_heard()
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if not buffer:
            return
        try:
            await self._stream.send(buffer)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, ssl.SSLError) as exc:
            raise httpcore2.WriteError(str(exc.__cause__ or exc)) from exc

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> PacedNetworkStream:
        try:
            with anyio.fail_after(timeout):
                stream = await TLSStream.wrap(
                    self._stream,
                    ssl_context=ssl_context,
                    hostname=server_hostname,
                    standard_compatible=False,
                    server_side=False,
                )
        except TimeoutError as exc:
            await self.aclose()
            raise httpcore2.ConnectTimeout(f"no TLS handshake with {server_hostname} within {timeout:g} s") from exc
        except (anyio.BrokenResourceError, anyio.EndOfStream, ssl.SSLError) as exc:
            await self.aclose()
            why = str(exc.__cause__ or exc) or "the connection was closed"
            raise httpcore2.ConnectError(f"no TLS handshake with {server_hostname} ({why})") from exc
        except BaseException:
            await self.aclose()  # cancelled: nobody else knows of this socket yet
            raise
        return PacedNetworkStream(stream, self._paced)

    def get_extra_info(self, info: str) -> Any:
        if info == PACER:
            return self._paced.pacer
        if info == "ssl_object":
            return self._stream.extra(TLSAttribute.ssl_object, None)
        attribute = {
            "client_addr": anyio.abc.SocketAttribute.local_address,
            "server_addr": anyio.abc.SocketAttribute.remote_address,
            "socket": anyio.abc.SocketAttribute.raw_socket,
        }.get(info)
        if attribute is not None:
            return self._stream.extra(attribute, None)
        if info == "is_readable":
            return _is_readable(self._stream.extra(anyio.abc.SocketAttribute.raw_socket, None))
        return None


class PacedBackend(httpcore2.AsyncNetworkBackend):
    """Makes the connections."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> PacedNetworkStream:
        watch = CONNECTION_WATCH.get()
        if watch is not None:
            watch.connecting()
        note_connecting()
        try:
            with anyio.fail_after(timeout):
                stream = await anyio.connect_tcp(remote_host=host, remote_port=port, local_host=local_address)
        except TimeoutError as exc:
            raise httpcore2.ConnectTimeout(f"no connection to {host}:{port} within {timeout:g} s") from exc
        except OSError as exc:
            raise httpcore2.ConnectError(f"no connection to {host}:{port} ({_why(exc)})") from exc
        if watch is not None:
            watch.connected()
        for option in socket_options or ():
            stream.extra(anyio.abc.SocketAttribute.raw_socket).setsockopt(*option)
        paced = PacedByteStream(stream)
        return PacedNetworkStream(paced, paced)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Body(httpx2.AsyncByteStream):
    """Hands httpcore's body through as it comes."""

    def __init__(self, stream: AsyncIterable[bytes]) -> None:
        self._stream = stream

    def __aiter__(self) -> Any:
        return self._stream.__aiter__()

    async def aclose(self) -> None:
        close = getattr(self._stream, "aclose", None)
        if close is not None:
            await close()


class PacedTransport(httpx2.AsyncBaseTransport):
    """An httpx2 transport over httpcore2's connection pool; goes into the SDK's client as part of its `http_client`.

    Connections are not limited here (slots are), and every one is kept for use again.
    """

    def __init__(self, keepalive: int) -> None:
        self._ssl_context = httpx2.create_ssl_context()
        self._keepalive = keepalive
        self.use_proxy(None)

    def use_proxy(self, proxy: httpx2.Proxy | None) -> None:
        """To be told before the first request: which proxy it is hangs on a base URL that the client has resolved."""
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=self._ssl_context,
            proxy=None if proxy is None else httpcore2.Proxy(str(proxy.url), auth=proxy.raw_auth),
            max_connections=None,
            max_keepalive_connections=self._keepalive,
            keepalive_expiry=KEEPALIVE_SECONDS,
            network_backend=PacedBackend(),
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send it; once more on a new connection where a kept one ended just as it was used again (F28)."""
        with on_errand() as errand:
            try:
                return await self._send(request)
            except _GONE:
                if not errand.met_an_end:
                    raise
        await self._close_idle()
        return await self._send(request)

    async def aclose(self) -> None:
        await self._pool.aclose()

    async def drop(self) -> None:
        """Close every connection; what is read or written on one of them breaks."""
        for connection in self._pool.connections:
            await connection.aclose()

    async def _send(self, request: httpx2.Request) -> httpx2.Response:
        assert isinstance(request.stream, httpx2.AsyncByteStream)
        url = request.url
        answer = await self._pool.handle_async_request(
            httpcore2.Request(
                method=request.method,
                url=httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        assert isinstance(answer.stream, AsyncIterable)
        return httpx2.Response(
            status_code=answer.status, headers=answer.headers, stream=_Body(answer.stream), extensions=answer.extensions
        )

    async def _close_idle(self) -> None:
        """Those that were idle as long are likely to have ended with it, and the next request shall not find one."""
        for connection in self._pool.connections:
            if connection.is_idle():
                await connection.aclose()


def client_over(transport: PacedTransport, headers: httpx2.Headers | None = None) -> httpx2.AsyncClient:
    """The HTTP client that every provider asks with. It times nothing: the attempt's clocks do."""
    # follow_redirects off: the key would travel to another origin. trust_env off: netrc is not ours to read.
    return httpx2.AsyncClient(
        transport=transport, headers=headers, follow_redirects=False, trust_env=False, timeout=None
    )


def proxy_for(base_url: str) -> httpx2.Proxy | None:
    """The proxy that the environment (`HTTPS_PROXY`, `NO_PROXY`, ...) names for this URL; none can reach our loopback.

    Raises:
        ConfigError: what it names is no HTTP proxy.
    """
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    proxies = getproxies()
    named = proxies.get(parts.scheme) or proxies.get("all")
    if not named or host in LOOPBACK or proxy_bypass(host):
        return None
    scheme = urlsplit(named).scheme if "://" in named else "http"
    if scheme not in ("http", "https"):
        remedy = f"set {parts.scheme.upper()}_PROXY to an HTTP proxy, or NO_PROXY={host} to use none"
        raise ConfigError(f"the environment names a proxy of kind {scheme} for {host}, which is not spoken; {remedy}")
    return httpx2.Proxy(named if "://" in named else f"http://{named}")


def pacer_of(response: httpx2.Response) -> Pacer | None:
    """The pacer of the connection on which a response comes; None where it came some other way."""
    stream = response.extensions.get("network_stream")
    pacer = stream.get_extra_info(PACER) if stream is not None else None
    return pacer if isinstance(pacer, Pacer) else None


def _why(exc: OSError) -> str:
    """What the kernel said of each address that was tried."""
    cause = exc.__cause__
    return "; ".join(map(str, cause.exceptions)) if isinstance(cause, ExceptionGroup) else str(cause or exc)


def _is_readable(sock: Any) -> bool:
    """Whether an idle connection has something to say: in HTTP/1.1 that can only be its end."""
    if sock is None or sock.fileno() < 0:
        return True
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLIN)
    return bool(poll.poll(0))
