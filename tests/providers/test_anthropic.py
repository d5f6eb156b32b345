"""The Messages API over a real connection: what goes out, what comes back as what, and what must never be told."""

from __future__ import annotations

import asyncio
import gzip
import resource
import socket
import ssl
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anthropic
import orjson
import pytest

from batchrun.errors import ConfigError, CredentialsError, ExitCode
from batchrun.failure import AttemptFailed, Cause, Failure
from batchrun.providers.anthropic import AnthropicProvider
from batchrun.providers.base import BackendConfig, Request
from batchrun.providers.failures import MAX_MESSAGE
from tests.providers.conftest import CANARY
from tests.providers.fakes import JSON, STREAM
from tests.providers.scripted_server import (
    LAST_CHUNK,
    Received,
    Script,
    ScriptedServer,
    Wire,
    chunk,
    error_body,
    head,
    stream,
    stream_head,
    whole,
)
from tests.stream.events import answer, document, on_the_wire

BODY: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
ANSWER = on_the_wire(*answer("Hello"))
PAGE = b"<html><body>Bad gateway</body></html>"


class NobodyWatches:
    """For who does not ask whether a connection is being made."""

    def connecting(self) -> None:
        pass

    def connected(self) -> None:
        pass


@asynccontextmanager
async def provider_for(backend: BackendConfig) -> AsyncIterator[AnthropicProvider]:
    provider = AnthropicProvider(backend, max_slots=4)
    try:
        yield provider
    finally:
        await provider.close()


async def body_of(provider: AnthropicProvider, request: Request | None = None, connect_timeout: float = 5.0) -> bytes:
    """The whole body of the answer, as it was read."""
    async with provider.open(request or Request(BODY), connect_timeout, NobodyWatches()) as reply:
        return b"".join([piece async for piece in reply.chunks()])


async def failure_of(provider: AnthropicProvider, connect_timeout: float = 5.0) -> Failure:
    """How a request failed; with the promise that the key is told nowhere."""
    try:
        await body_of(provider, connect_timeout=connect_timeout)
    except AttemptFailed as failed:
        told = [repr(failed), repr(failed.failure), repr(provider), *traceback.format_exception(failed)]
        assert CANARY not in "".join(told)
        assert failed.failure.message
        assert len(failed.failure.message) <= MAX_MESSAGE
        return failed.failure
    raise AssertionError("it did not fail")


async def failure_by(script: Script, key_file: Path) -> Failure:
    async with ScriptedServer(script) as server:
        async with provider_for(BackendConfig(base_url=server.url, key_file=key_file)) as provider:
            failure = await failure_of(provider)
        assert len(server.received) == 1, "one retry layer only, and it is not this one"
    return failure


def saying(data: bytes) -> Script:
    async def script(wire: Wire, request: Received) -> None:
        await wire.send(data)

    return script


# -- what goes out ----------------------------------------------------------------------------------------------------


async def sent(request: Request, backend: dict[str, Any]) -> Received:
    async with ScriptedServer(saying(stream(ANSWER))) as server:
        async with provider_for(BackendConfig(base_url=server.url, **backend)) as provider:
            assert await body_of(provider, request) == ANSWER
        [received] = server.received
    return received


async def test_the_request_is_the_sdks_own(key_file: Path) -> None:
    """Path, version and credential are those that the installed SDK sends; a plain stream is asked for."""
    received = await sent(Request(BODY), {"key_file": key_file})
    version = anthropic.AsyncAnthropic(api_key="any").default_headers["anthropic-version"]
    assert (received.method, received.target) == ("POST", "/v1/messages")
    assert received.headers["anthropic-version"] == version
    assert received.headers["authorization"] == f"Bearer {CANARY}"
    assert received.headers["content-type"] == "application/json"
    assert received.headers["accept"] == "text/event-stream"
    assert received.headers["accept-encoding"] == "identity"
    assert received.headers["user-agent"].startswith("AsyncAnthropic/Python")


async def test_the_body_is_the_jobs_own(key_file: Path) -> None:
    """Fields that nobody knows, their order, their letters and their numbers go out as they stand; only `stream` is
    ours."""
    body = BODY | {
        "a_field_of_tomorrow": {"z": [1, 2.50, None, True], "a": "é\u2028😀"},
        "temperature": 0.7,
        "stream": "nonsense",
    }
    received = await sent(Request(body), {"key_file": key_file})
    assert received.body == orjson.dumps(body | {"stream": True})
    assert list(received.json) == list(body)


async def test_without_streaming_a_document_is_asked_for(key_file: Path) -> None:
    """The request says so in its header and in its body, and the answer is told as what it is."""
    async with ScriptedServer(saying(whole(200, JSON, document("Hi")))) as server:
        async with provider_for(BackendConfig(base_url=server.url, key_file=key_file)) as provider:
            async with provider.open(Request(BODY, stream=False), 5.0, NobodyWatches()) as reply:
                assert not reply.is_stream
                assert b"".join([piece async for piece in reply.chunks()]) == document("Hi")
        [received] = server.received
    assert received.headers["accept"] == "application/json"
    assert received.json["stream"] is False


# -- credentials ------------------------------------------------------------------------------------------------------


def test_without_credentials_the_remedy_is_told() -> None:
    """Exit 77, before anything is sent, naming the variable, the flag for cron, and the way to try it without a key."""
    with pytest.raises(CredentialsError) as caught:
        AnthropicProvider(BackendConfig(), max_slots=1)
    assert caught.value.exit_code is ExitCode.NO_CREDENTIALS
    for remedy in ("ANTHROPIC_API_KEY", "--key-file", "--simulate"):
        assert remedy in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "kind"),
    [
        ("ANTHROPIC_API_KEY", "API key from the environment"),
        ("ANTHROPIC_AUTH_TOKEN", "auth token from the environment"),
    ],
)
async def test_the_sdk_finds_the_key_in_the_environment(
    variable: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kind of credential is told, its value is not."""
    monkeypatch.setenv(variable, CANARY)
    async with provider_for(BackendConfig()) as provider:
        assert (provider.credential, provider.base_url) == (kind, "https://api.anthropic.com")
        assert CANARY not in repr(provider)
    received = await sent(Request(BODY), {})
    assert received.headers["authorization"] == f"Bearer {CANARY}"


async def test_a_key_file_wins_over_the_environment(key_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was given on the command line is what is used."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-another")
    received = await sent(Request(BODY), {"key_file": key_file})
    assert received.headers["authorization"] == f"Bearer {CANARY}"
    async with provider_for(BackendConfig(key_file=key_file)) as provider:
        assert provider.credential == f"API key from {key_file}"


async def test_the_embedded_provider_never_gets_a_real_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """A simulated night needs no key and leaks none."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", CANARY)
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", CANARY)
    received = await sent(Request(BODY), {"simulated": True})
    assert CANARY not in str(received.headers)


async def test_an_identity_of_the_workload_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials that the SDK fetches by itself are found; they are looked at when something is sent."""
    token = tmp_path / "token"
    token.write_text("identity", encoding="utf-8")
    monkeypatch.setenv("ANTHROPIC_IDENTITY_TOKEN_FILE", str(token))
    monkeypatch.setenv("ANTHROPIC_FEDERATION_RULE_ID", "fdrl_1")
    monkeypatch.setenv("ANTHROPIC_ORGANIZATION_ID", "org_1")
    async with provider_for(BackendConfig()) as provider:
        assert provider.credential == "profile or workload identity"


@pytest.mark.parametrize("end", ["\r", "\x00", "é", "\u2028", "\n\nx"], ids=repr)
async def test_a_key_that_no_header_can_carry_is_told_and_not_shown(end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key with a stray character, from a file that was edited elsewhere say, ends the run before the night does."""
    if "\x00" in end:
        pytest.skip("the environment cannot hold it")
    monkeypatch.setenv("ANTHROPIC_API_KEY", CANARY + end)
    with pytest.raises(CredentialsError) as caught:
        AnthropicProvider(BackendConfig(), max_slots=1)
    assert CANARY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("end", ["\n", " ", "\t"], ids=repr)
async def test_space_around_a_key_is_forgiven(end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line end after the key is what most ways of storing it leave there."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", CANARY + end)
    received = await sent(Request(BODY), {})
    assert received.headers["authorization"] == f"Bearer {CANARY}"


# -- where it goes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["http://api.test", "http://127.0.0.1.evil.test", "http://0.0.0.0:80", "ftp://api.test"]
)
def test_the_key_does_not_travel_unencrypted(url: str, key_file: Path) -> None:
    """Exit 78: http is for loopback, or for who says that nobody listens."""
    with pytest.raises(ConfigError, match="--insecure-http") as caught:
        AnthropicProvider(BackendConfig(base_url=url, key_file=key_file), max_slots=1)
    assert caught.value.exit_code is ExitCode.BAD_CONFIG
    assert CANARY not in str(caught.value)


async def test_the_key_does_not_travel_unencrypted_by_way_of_the_environment(
    key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK's own variable for the base URL is held to the same rule."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://api.test")
    with pytest.raises(ConfigError):
        AnthropicProvider(BackendConfig(key_file=key_file), max_slots=1)
    async with provider_for(BackendConfig(key_file=key_file, insecure_http=True)) as provider:
        assert provider.base_url == "http://api.test"


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1", "https://api.test"])
async def test_loopback_and_https_are_safe(url: str, key_file: Path) -> None:
    """These need no flag."""
    async with provider_for(BackendConfig(base_url=url, key_file=key_file)) as provider:
        assert provider.base_url == url


async def test_the_proxy_is_that_of_the_url_that_was_resolved(key_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the base URL in the environment too, NO_PROXY is held against that one."""
    async with ScriptedServer(saying(stream(ANSWER))) as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        async with provider_for(BackendConfig(key_file=key_file)) as provider:
            assert await body_of(provider) == ANSWER


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(status: int, key_file: Path) -> None:
    """F33: the key would travel to another origin."""
    async with ScriptedServer(saying(stream(ANSWER))) as elsewhere:
        redirect = whole(status, "text/plain", b"over there", location=f"{elsewhere.url}/v1/messages")
        failure = await failure_by(saying(redirect), key_file)
        assert elsewhere.received == []
    assert (failure.cause, failure.status) == (Cause.BAD_REQUEST, status)


# -- what comes back --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content_type", ["text/html", "text/plain; charset=utf-8", "", "text/html; " + "x" * 5000])
async def test_some_gateways_page_is_no_answer(content_type: str, key_file: Path) -> None:
    """F14: a captive portal too says 200."""
    failure = await failure_by(saying(whole(200, content_type, PAGE)), key_file)
    assert (failure.cause, failure.status) == (Cause.SERVER_ERROR, 200)


@pytest.mark.parametrize("status", [502, 504, 520, 524, 599])
async def test_a_gateways_error_page_is_kept_in_part_and_scrubbed(status: int, key_file: Path) -> None:
    """F14: at most 2 KB of it, in one line, and without the key that it may have echoed."""
    page = b"<html>\n<pre>authorization: Bearer " + CANARY.encode() + b"\n" + b"x" * 100_000
    failure = await failure_by(saying(whole(status, "text/html", page)), key_file)
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
    [({"retry_after": "90"}, 90.0), ({"retry_after_ms": "1500", "retry_after": "9"}, 1.5), ({}, None)],
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
    async with ScriptedServer(saying(packed)) as server:
        async with provider_for(BackendConfig(base_url=server.url, key_file=key_file)) as provider:
            assert await body_of(provider) == ANSWER


async def test_a_compressed_stream_that_is_broken_is_broken(key_file: Path) -> None:
    """What cannot be unpacked is a failure of the wire."""
    packed = stream(b"no gzip at all", content_encoding="gzip")
    assert (await failure_by(saying(packed), key_file)).cause is Cause.BROKEN


async def test_json_is_told_apart_from_a_stream(key_file: Path) -> None:
    """F13: by its content type, though a stream was asked for."""
    async with ScriptedServer(saying(whole(200, "Application/JSON; charset=utf-8", document("Hi")))) as server:
        async with provider_for(BackendConfig(base_url=server.url, key_file=key_file)) as provider:
            async with provider.open(Request(BODY), 5.0, NobodyWatches()) as reply:
                assert not reply.is_stream


@pytest.mark.parametrize("content_type", [STREAM, "text/event-stream", "Text/Event-Stream"])
async def test_a_stream_is_known_by_its_type(content_type: str, key_file: Path) -> None:
    """With or without a charset, in any case."""
    async with ScriptedServer(saying(whole(200, content_type, ANSWER))) as server:
        async with provider_for(BackendConfig(base_url=server.url, key_file=key_file)) as provider:
            async with provider.open(Request(BODY), 5.0, NobodyWatches()) as reply:
                assert reply.is_stream
                assert repr(reply) == "<AnthropicReply req_1>"


# -- no connection ----------------------------------------------------------------------------------------------------


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


async def test_a_refused_connection_names_the_address(key_file: Path) -> None:
    """ECONNREFUSED is told with host, port and the kernel's word."""
    port = unused_port()
    async with provider_for(BackendConfig(base_url=f"http://127.0.0.1:{port}", key_file=key_file)) as provider:
        failure = await failure_of(provider)
    assert failure.cause is Cause.CONNECT
    assert f"127.0.0.1:{port}" in failure.message
    assert "111" in failure.message or "61" in failure.message


@pytest.fixture
def two_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name service that knows two addresses of api.test, as there are of every large provider."""
    resolve = socket.getaddrinfo

    def both(host: str, port: int, *args: Any, **kwargs: Any) -> list[Any]:
        if host != "api.test":
            return list(resolve(host, port, *args, **kwargs))
        return [answer for ip in ("127.0.0.1", "127.0.0.2") for answer in resolve(ip, port, *args, **kwargs)]

    monkeypatch.setattr(socket, "getaddrinfo", both)


@pytest.fixture
def no_more_files() -> Iterator[None]:
    """Not one file more may be opened."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as highest:
        limit = highest.fileno()
    held = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        del held


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
    async with ScriptedServer(saying(b""), tls) as server:
        async with provider_for(BackendConfig(base_url=server.url, key_file=key_file)) as provider:
            failure = await failure_of(provider)
    assert failure.cause is Cause.TLS
    assert "self-signed certificate" in failure.message


@pytest.mark.usefixtures("trusted")
async def test_a_trusted_certificate_is_enough(tls: ssl.SSLContext, key_file: Path) -> None:
    """One TLS record an event, and every one of them read."""

    async def script(wire: Wire, request: Received) -> None:
        await wire.send(stream_head())
        for event in answer("Hel", "lo"):
            await wire.send(chunk(on_the_wire(event)))
        await wire.send(LAST_CHUNK)

    async with ScriptedServer(script, tls) as server:
        async with provider_for(BackendConfig(base_url=server.url, key_file=key_file)) as provider:
            for _ in range(2):
                assert await body_of(provider) == on_the_wire(*answer("Hel", "lo"))
        assert len(server.wires) == 1


async def test_a_server_that_leaves_before_the_head_is_a_broken_connection(key_file: Path) -> None:
    """The request was on its way: that is no failure to connect."""

    async def script(wire: Wire, request: Received) -> None:
        wire.reset()

    assert (await failure_by(script, key_file)).cause is Cause.BROKEN


async def test_what_is_no_http_is_a_broken_connection(key_file: Path) -> None:
    """Another service on that port, say."""
    assert (await failure_by(saying(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), key_file)).cause is Cause.BROKEN


# -- connections ------------------------------------------------------------------------------------------------------


async def test_the_next_request_on_a_kept_connection_is_served_at_once(key_file: Path) -> None:
    """The pace of one attempt is gone before the next one begins on its connection."""
    async with ScriptedServer(saying(stream(ANSWER))) as server:
        async with provider_for(BackendConfig(base_url=server.url, key_file=key_file)) as provider:
            async with asyncio.timeout(5):
                for _ in range(3):
                    async with provider.open(Request(BODY), 5.0, NobodyWatches()) as reply:
                        async for _ in reply.chunks():
                            reply.pace(0.001)
                        reply.pace(60.0)
        assert [request.connection for request in server.received] == [0, 0, 0]


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
        async with provider.open(Request(BODY), 5.0, NobodyWatches()) as reply:
            async for _ in reply.chunks():
                if stage == "in a pause of the pacer":
                    reply.pace(60.0)

    async with ScriptedServer(script) as server, asyncio.timeout(5):
        async with provider_for(BackendConfig(base_url=server.url, key_file=key_file)) as provider:
            task = asyncio.create_task(ask(provider))
            await began.wait()
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await server.wires[0].went.wait()


async def test_closing_the_provider_closes_its_connections(key_file: Path) -> None:
    """Nothing is left open at the end of a run."""
    async with ScriptedServer(saying(stream(ANSWER))) as server, asyncio.timeout(5):
        async with provider_for(BackendConfig(base_url=server.url, key_file=key_file)) as provider:
            await body_of(provider)
        await server.wires[0].went.wait()


async def test_a_failure_in_mid_stream_leaves_no_task_and_no_connection(key_file: Path) -> None:
    """Whoever stops reading because the bytes are nonsense has nothing more to clean up."""

    async def script(wire: Wire, request: Received) -> None:
        await wire.send(stream_head() + chunk(ANSWER))
        await wire.until_the_client_goes()

    class Nonsense(Exception):
        """The reader has had enough."""

    async def read_one_piece(provider: AnthropicProvider) -> None:
        async with provider.open(Request(BODY), 5.0, NobodyWatches()) as reply:
            async for _ in reply.chunks():
                raise Nonsense

    async with ScriptedServer(script) as server, asyncio.timeout(5):
        async with provider_for(BackendConfig(base_url=server.url, key_file=key_file)) as provider:
            with pytest.raises(Nonsense):
                await read_one_piece(provider)
            await server.wires[0].went.wait()
    await asyncio.sleep(0.01)
    assert asyncio.all_tasks() == {asyncio.current_task()}
