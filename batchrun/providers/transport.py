"""The wire below the SDK's client: which connection a request goes over, kept ones, proxies, and reads that wait.

Pull, don't be pushed: while the reader waits, events gather in the kernel's buffer, TCP itself is the back-pressure,
and one look takes them all. Nothing here knows what the bytes mean.
"""

from __future__ import annotations

import asyncio
import base64
from contextvars import ContextVar

import httpx2

from batchrun.providers.channel import Channel
from batchrun.providers.connecting import open_socket
from batchrun.providers.connection import Body, Connection
from batchrun.providers.errand import Errand
from batchrun.providers.pacer import Grid
from batchrun.providers.provider import ConnectionWatch

# The watch of the attempt whose task makes the connection; connections are made inside the task that needs them.
CONNECTION_WATCH: ContextVar[ConnectionWatch | None] = ContextVar("connection_watch", default=None)
KEEPALIVE_SECONDS = 60.0  # shorter than the idle limits of common proxies
BODY = "batchrun_body"  # the name under which a response hands out its body, past the layers of the client
_DEFAULT_PORTS = {"http": 80, "https": 443}
_GONE = (httpx2.ReadError, httpx2.RemoteProtocolError)
_NO_LINE_BREAKS = "a header of the request holds a line break"
_Origin = tuple[str, str, int]


class PacedTransport(httpx2.AsyncBaseTransport):
    """Goes into the SDK's client as part of its `http_client`.

    Connections are not limited here (slots are), and as many as `keepalive` are kept for use again.
    """

    def __init__(self, keepalive: int) -> None:
        self._ssl_context = httpx2.create_ssl_context()
        self._keepalive = keepalive
        self._grid = Grid()
        self._idle: dict[_Origin, list[Connection]] = {}
        self._open: set[Connection] = set()
        self.use_proxy(None)

    def __repr__(self) -> str:
        return f"<PacedTransport {len(self._open)} open, {sum(map(len, self._idle.values()))} idle>"

    def use_proxy(self, proxy: httpx2.Proxy | None) -> None:
        """To be told before the first request: which proxy it is hangs on a base URL that the client has resolved."""
        self._proxy = None if proxy is None else proxy.url
        self._proxy_headers = b""
        if proxy is not None and proxy.raw_auth is not None:
            said = base64.b64encode(b":".join(proxy.raw_auth))
            self._proxy_headers = b"Proxy-Authorization: Basic " + said + b"\r\n"

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send it; once more on a new connection where a kept one ended just as it was used again (F28)."""
        errand = Errand()
        try:
            return await self._ask(request, errand)
        except _GONE:
            if not errand.met_an_end:
                raise
        # Those that were idle as long are likely to have ended with it.
        self._close_idle()
        return await self._ask(request, Errand())

    async def aclose(self) -> None:
        for connection in list(self._open):
            self._close(connection)

    async def drop(self) -> None:
        """Close every connection; what is read or written on one of them breaks."""
        await self.aclose()

    async def _ask(self, request: httpx2.Request, errand: Errand) -> httpx2.Response:
        origin = _origin_of(request.url)
        connection = self._kept(origin)
        if connection is None:
            errand.has_connected = True
            connection = await self._connect(origin, request.extensions.get("timeout", {}).get("connect"))
        try:
            await connection.ask(self._head(request, origin), request)
        except BaseException:
            errand.has_heard = connection.has_heard
            self._close(connection)
            raise
        body = Body(connection, lambda used: self._release(used, origin))
        parser = connection.parser
        extensions = {"http_version": b"HTTP/1.1", "reason_phrase": parser.reason, BODY: body}
        return httpx2.Response(parser.status, headers=parser.headers, stream=body, extensions=extensions)

    # -- connections --------------------------------------------------------------------------------------------------

    def _kept(self, origin: _Origin) -> Connection | None:
        """The connection that was used last, of those that still live."""
        idle = self._idle.get(origin, ())
        oldest = asyncio.get_running_loop().time() - KEEPALIVE_SECONDS
        while idle:
            connection = idle.pop()
            if connection.idle_since > oldest and not connection.is_stale():
                return connection
            self._close(connection)
        return None

    def _release(self, connection: Connection, origin: _Origin) -> None:
        """Nobody reads from it any more. A body that was left unread would be the next one's head."""
        kept = sum(map(len, self._idle.values()))
        is_sound = connection.parser.is_reusable and connection.channel.is_open and not connection.has_failed
        if not is_sound or kept >= self._keepalive:
            self._close(connection)
            return
        connection.pacer.reset()  # the next owner must find it unpaced
        connection.idle_since = asyncio.get_running_loop().time()
        self._idle.setdefault(origin, []).append(connection)

    def _close(self, connection: Connection) -> None:
        connection.channel.close()
        self._open.discard(connection)

    def _close_idle(self) -> None:
        for idle in self._idle.values():
            while idle:
                self._close(idle.pop())

    async def _connect(self, origin: _Origin, timeout: float | None) -> Connection:
        scheme, host, port = origin
        hop = origin if self._proxy is None else _origin_of(self._proxy)
        connection = await self._reach(hop, timeout)
        try:
            if hop[0] == "https":
                await self._encrypt(connection, hop[1], timeout)
            if self._proxy is not None and scheme == "https":
                where = f"{_bracketed(host)}:{port}".encode()
                head = b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (where, where, self._proxy_headers)
                await connection.tunnel(head)
                await self._encrypt(connection, host, timeout)
        except BaseException:
            self._close(connection)  # nobody else knows of this socket yet
            raise
        return connection

    async def _reach(self, hop: _Origin, timeout: float | None) -> Connection:
        _, host, port = hop
        watch = CONNECTION_WATCH.get()
        if watch is not None:
            watch.connecting()
        # The kernel's own timeout is the same exception: which of the two it was, the timeout's state tells.
        clock = asyncio.timeout(timeout)
        try:
            async with clock:
                sock = await open_socket(host, port)
        except OSError as exc:
            if clock.expired():
                raise httpx2.ConnectTimeout(f"no connection to {host}:{port} within {timeout:g} s") from exc
            raise httpx2.ConnectError(f"no connection to {host}:{port} ({exc})") from exc
        if watch is not None:
            watch.connected()
        connection = Connection(Channel(sock), self._grid.pacer())
        self._open.add(connection)
        return connection

    async def _encrypt(self, connection: Connection, host: str, timeout: float | None) -> None:
        clock = asyncio.timeout(timeout)
        try:
            async with clock:
                await connection.channel.start_tls(self._ssl_context, host)
        except OSError as exc:
            if clock.expired():
                raise httpx2.ConnectTimeout(f"no TLS handshake with {host} within {timeout:g} s") from exc
            raise httpx2.ConnectError(f"no TLS handshake with {host} ({exc})") from exc

    # -- the request --------------------------------------------------------------------------------------------------

    def _head(self, request: httpx2.Request, origin: _Origin) -> bytes:
        """The request line and the headers.

        Raises:
            httpx2.LocalProtocolError: what stands in a header would be read as another one.
        """
        target, own = request.url.raw_path, b""
        if self._proxy is not None and origin[0] == "http":
            target, own = str(request.url).encode("ascii"), self._proxy_headers
        lines = [b"%b: %b" % item for item in request.headers.raw]
        head = b"%b %b HTTP/1.1\r\n%b%b\r\n\r\n" % (request.method.encode(), target, own, b"\r\n".join(lines))
        breaks = len(lines) + 2 + (1 if own else 0)
        if head.count(b"\n") != breaks or head.count(b"\r") != breaks or b"\0" in head:
            raise httpx2.LocalProtocolError(_NO_LINE_BREAKS)
        return head


def client_over(transport: PacedTransport, headers: httpx2.Headers | None = None) -> httpx2.AsyncClient:
    """The HTTP client that every provider asks with. It times nothing: the attempt's clocks do."""
    # follow_redirects off: the key would travel to another origin. trust_env off: netrc is not ours to read.
    return httpx2.AsyncClient(
        transport=transport, headers=headers, follow_redirects=False, trust_env=False, timeout=None
    )


def body_of(response: httpx2.Response) -> Body | None:
    """The body of a response as it comes over its connection; None where it came some other way."""
    body = response.extensions.get(BODY)
    return body if isinstance(body, Body) else None


def _origin_of(url: httpx2.URL) -> _Origin:
    return url.scheme, url.host, url.port or _DEFAULT_PORTS[url.scheme]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
