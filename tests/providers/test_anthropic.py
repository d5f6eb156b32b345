"""The Messages API over a real connection: what goes out, with which credential, and where it must never go."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import anthropic
import orjson
import pytest

from batchrun.errors import ConfigError, CredentialsError, ExitCode
from batchrun.failure import Cause
from batchrun.providers.anthropic import AnthropicProvider
from batchrun.providers.provider import BackendConfig, Request
from tests.providers.conversation import (
    ANSWER,
    BODY,
    CANARY,
    body_of,
    conversation,
    failure_by,
    provider_for,
    reply_to,
)
from tests.providers.fakes import JSON
from tests.providers.scripted_server import (
    Received,
    ScriptedServer,
    saying,
    stream,
    whole,
)
from tests.stream.events import document

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
    async with conversation(saying(whole(200, JSON, document("Hi"))), key_file) as (server, provider):
        async with reply_to(provider, Request(BODY, stream=False)) as reply:
            assert not reply.is_stream
            assert b"".join([piece async for piece in reply.chunks()]) == document("Hi")
        [received] = server.received
    assert received.headers["accept"] == "application/json"
    assert received.json["stream"] is False


# -- credentials ------------------------------------------------------------------------------------------------------

CLAUDE = BackendConfig(claudes_key=True)


def test_without_credentials_the_remedy_is_told() -> None:
    """Exit 77, before anything is sent, naming the variable and the flag for cron."""
    with pytest.raises(CredentialsError) as caught:
        AnthropicProvider(CLAUDE, max_slots=1)
    assert caught.value.exit_code is ExitCode.NO_CREDENTIALS
    for remedy in ("ANTHROPIC_API_KEY", "--key-file"):
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
    async with provider_for(CLAUDE) as provider:
        assert (provider.credential, provider.base_url) == (kind, "https://api.anthropic.com")
        assert CANARY not in repr(provider)
    received = await sent(Request(BODY), {"claudes_key": True})
    assert received.headers["authorization"] == f"Bearer {CANARY}"


async def test_a_key_file_wins_over_the_environment(key_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was given on the command line is what is used."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-another")
    received = await sent(Request(BODY), {"key_file": key_file, "claudes_key": True})
    assert received.headers["authorization"] == f"Bearer {CANARY}"
    async with provider_for(BackendConfig(key_file=key_file)) as provider:
        assert provider.credential == f"API key from {key_file}"


async def test_the_embedded_provider_never_gets_a_real_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """A simulated night needs no key and leaks none."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", CANARY)
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", CANARY)
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", f"X-Pass: {CANARY}")
    received = await sent(Request(BODY), {"simulated": True, "claudes_key": True})
    assert CANARY not in str(received.headers)


async def test_what_the_embedded_provider_says_keeps_its_words() -> None:
    """The key that is sent to it is no word of its messages, from which a key is taken out."""
    async with provider_for(BackendConfig(simulated=True)) as provider:
        said = "The simulated rate limit of this organization was exceeded."
        assert provider.scrubbed(said) == said


async def test_an_identity_of_the_workload_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials that the SDK fetches by itself are found; they are looked at when something is sent."""
    token = tmp_path / "token"
    token.write_text("identity", encoding="utf-8")
    monkeypatch.setenv("ANTHROPIC_IDENTITY_TOKEN_FILE", str(token))
    monkeypatch.setenv("ANTHROPIC_FEDERATION_RULE_ID", "fdrl_1")
    monkeypatch.setenv("ANTHROPIC_ORGANIZATION_ID", "org_1")
    async with provider_for(CLAUDE) as provider:
        assert provider.credential == "profile or workload identity"


@pytest.mark.parametrize("end", ["\rx", "\x1bx", "é", "\u2028x", " x", "\n\nx"], ids=repr)
async def test_a_key_that_no_header_can_carry_is_told_and_not_shown(end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key with a stray character, from a file that was edited elsewhere say, ends the run before the night does."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", CANARY + end)
    with pytest.raises(CredentialsError) as caught:
        AnthropicProvider(CLAUDE, max_slots=1)
    assert CANARY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("end", ["\n", "\r\n", " ", "\t"], ids=repr)
async def test_space_around_a_key_is_forgiven(end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line end after the key is what most ways of storing it leave there."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", CANARY + end)
    received = await sent(Request(BODY), {"claudes_key": True})
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
    assert (failure.cause, failure.status) == (Cause.SERVER_ERROR, status)
