"""Proxies: which one the environment names, and the way of a request through it."""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from pathlib import Path

import httpx2
import pytest

from batchrun.errors import ConfigError
from batchrun.providers.proxy import proxy_for
from batchrun.providers.transport import PacedTransport, body_of
from tests.providers.scripted_server import Received, Script, ScriptedServer, Wire, saying, stream, whole
from tests.providers.transport_client import read_paced, ticking

API = "https://api.test"
JSON = "application/json"


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        ({}, API, None),
        ({"HTTPS_PROXY": "http://proxy.test:3128"}, API, "http://proxy.test:3128"),
        ({"https_proxy": "http://proxy.test:3128"}, API, "http://proxy.test:3128"),
        ({"HTTPS_PROXY": "proxy.test:3128"}, API, "http://proxy.test:3128"),
        ({"HTTPS_PROXY": "https://proxy.test"}, API, "https://proxy.test"),
        ({"ALL_PROXY": "http://proxy.test:3128"}, API, "http://proxy.test:3128"),
        ({"HTTPS_PROXY": "http://one.test", "ALL_PROXY": "http://two.test"}, API, "http://one.test"),
        ({"HTTP_PROXY": "http://proxy.test:3128"}, API, None),
        ({"HTTP_PROXY": "http://proxy.test:3128"}, "http://gateway.test", "http://proxy.test:3128"),
        ({"HTTPS_PROXY": ""}, API, None),
        ({"HTTPS_PROXY": "http://proxy.test", "NO_PROXY": "api.test"}, API, None),
        ({"HTTPS_PROXY": "http://proxy.test", "NO_PROXY": ".test"}, API, None),
        ({"HTTPS_PROXY": "http://proxy.test", "NO_PROXY": "*"}, API, None),
        ({"HTTPS_PROXY": "http://proxy.test", "NO_PROXY": "other.test"}, API, "http://proxy.test"),
        ({"HTTP_PROXY": "http://proxy.test"}, "http://127.0.0.1:8080", None),
        ({"HTTP_PROXY": "http://proxy.test"}, "http://localhost:11434", None),
        ({"ALL_PROXY": "http://proxy.test"}, "http://[::1]:8080", None),
        ({"HTTPS_PROXY": "http://proxy.test", "ALL_PROXY": "socks5://proxy.test"}, API, "http://proxy.test"),
    ],
    ids=str,
)
def test_the_environment_names_the_proxy(
    environment: dict[str, str], url: str, proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The usual variables, in the usual order; nothing of ours on loopback goes through a proxy."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = proxy_for(url)
    assert (None if found is None else str(found.url)) == proxy


def test_a_proxy_of_another_kind_is_told_before_the_night(monkeypatch: pytest.MonkeyPatch) -> None:
    """SOCKS is not spoken: that is told at the start, with what to set, and without the password."""
    monkeypatch.setenv("ALL_PROXY", "socks5://user:canary@proxy.test:1080")
    with pytest.raises(ConfigError, match="socks5") as caught:
        proxy_for(API)
    assert "HTTPS_PROXY" in str(caught.value)
    assert "canary" not in str(caught.value)


def client_for(url: str) -> httpx2.AsyncClient:
    transport = PacedTransport(keepalive=8)
    transport.use_proxy(proxy_for(url))
    return httpx2.AsyncClient(transport=transport, timeout=None, trust_env=False)


async def test_a_plain_request_goes_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy gets the whole URL, and the connection to it is kept."""

    async def script(wire: Wire, request: Received) -> None:
        await wire.send(whole(200, JSON, b'{"by": "proxy"}'))

    async with ScriptedServer(script) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        async with client_for("http://gateway.test") as client:
            for _ in range(2):
                assert (await client.get("http://gateway.test/v1/messages")).json() == {"by": "proxy"}
    assert [request.target for request in proxy.received] == ["http://gateway.test/v1/messages"] * 2
    assert len(proxy.wires) == 1


def tunnelling_to(port: int) -> Script:
    async def script(wire: Wire, request: Received) -> None:
        await wire.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await wire.pipe_to("127.0.0.1", port)

    return script


@pytest.mark.usefixtures("trusted")
async def test_an_encrypted_request_goes_through_a_tunnel(tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """CONNECT with the user's name and password, then TLS to the real host, kept, and paced like any other."""

    async def script(wire: Wire, request: Received) -> None:
        await wire.send(stream(b"data: 1\n\n"))

    async with ScriptedServer(script, tls) as server, ScriptedServer(tunnelling_to(server.port)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:p%40ss@127.0.0.1:{proxy.port}")
        async with client_for(API) as client:
            for _ in range(2):
                async with client.stream("GET", f"{API}/v1/messages") as response:
                    assert body_of(response) is not None
                    assert await response.aread() == b"data: 1\n\n"
        assert [request.headers["host"] for request in server.received] == ["api.test"] * 2
    [connect] = proxy.received
    assert (connect.method, connect.target) == ("CONNECT", "api.test:443")
    assert connect.headers["proxy-authorization"] == "Basic " + b64encode(b"me:p@ss").decode()


@pytest.mark.usefixtures("trusted")
async def test_a_tunnel_may_lead_through_an_encrypted_proxy(
    tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TLS to the proxy, and in it TLS to the real host; a paced body comes through both, to its end."""
    async with (
        ScriptedServer(ticking(20, 0.005), tls) as server,
        ScriptedServer(tunnelling_to(server.port), tls) as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"https://127.0.0.1:{proxy.port}")
        async with client_for(API) as client:
            for _ in range(2):
                async with client.stream("GET", f"{API}/v1/messages") as response, asyncio.timeout(10):
                    body, _ = await read_paced(response)
                    assert body == b"data: 1\n\n" * 20
    [connect] = proxy.received
    assert (connect.method, connect.target) == ("CONNECT", "api.test:443")
    assert [request.connection for request in server.received] == [0, 0]


@pytest.mark.usefixtures("trusted")
async def test_a_plain_request_goes_through_an_encrypted_proxy(
    tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way to the proxy is encrypted, and the request on it is the proxy's to read."""
    async with ScriptedServer(saying(whole(200, JSON, b"{}")), tls) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"https://127.0.0.1:{proxy.port}")
        async with client_for("http://gateway.test") as client:
            assert (await client.get("http://gateway.test/v1/messages")).json() == {}
    assert [request.target for request in proxy.received] == ["http://gateway.test/v1/messages"]


@pytest.mark.usefixtures("trusted")
async def test_an_encrypted_proxy_that_is_somebody_else_is_told(
    tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F31: its certificate is for another name; nothing is asked of it."""
    async with ScriptedServer(saying(b""), tls) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"https://localhost:{proxy.port}")
        async with client_for(API) as client:
            with pytest.raises(httpx2.ConnectError) as caught:
                await client.get(API)
    assert isinstance(caught.value.__context__, ssl.SSLCertVerificationError)
    assert proxy.received == []


@pytest.mark.parametrize("status", [403, 407, 502])
async def test_a_proxy_that_refuses_is_told_as_a_proxy(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the proxy answers is not what the provider answers."""

    async def script(wire: Wire, request: Received) -> None:
        await wire.send(whole(status, "text/html", b"<html>no</html>"))

    async with ScriptedServer(script) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        async with client_for(API) as client:
            with pytest.raises(httpx2.ProxyError, match=str(status)):
                await client.get(API)


async def test_a_proxy_that_is_silent_is_waited_for_by_the_clocks_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A cancelled request leaves no connection to the proxy."""

    async def script(wire: Wire, request: Received) -> None:
        await wire.until_the_client_goes()

    async with ScriptedServer(script) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        async with client_for(API) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await client.get(API)
            async with asyncio.timeout(2):
                await proxy.wires[0].went.wait()
