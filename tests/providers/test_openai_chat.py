"""Chat completions over a real connection: what goes out, with which key, and what comes of the answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from batchrun.errors import ConfigError, CredentialsError
from batchrun.failure import Cause, Failure
from batchrun.providers.openai_chat import OpenAIChatProvider
from batchrun.providers.provider import BackendConfig, Provider, Wire
from tests.providers.chat_server import (
    BODY,
    CANARY,
    WHOLE,
    answer_of,
    ask,
    conversation,
    failure_of,
    provider_for,
    refusing,
    saying,
)
from tests.providers.fakes import JSON
from tests.providers.scripted_server import Received, ScriptedServer, whole
from tests.stream.chunks import completion

OPTIONS = {"include_usage": True}


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The canary, in the variable that a backend may name; and Claude's key, which must go nowhere."""
    monkeypatch.setenv("CHAT_KEY", CANARY)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-of-claude")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai")


async def sent(body: dict[str, Any] = BODY, *, streamed: bool = True, **backend: Any) -> Received:
    """The request as the server saw it."""
    async with conversation(saying(WHOLE), **backend) as (server, provider):
        await answer_of(provider, body, streamed=streamed)
    [received] = server.received
    return received


# -- what goes out ----------------------------------------------------------------------------------------------------


async def test_the_body_is_the_jobs_own() -> None:
    """Fields that nobody knows go out as they stand; only `stream` and the wish for the usage are ours."""
    body = BODY | {"a_field_of_tomorrow": {"z": [1, 2.5, None], "a": "é\u2028"}, "stream": "nonsense"}
    received = await sent(body)
    assert (received.method, received.target) == ("POST", "/v1/chat/completions")
    assert received.json == body | {"stream": True, "stream_options": OPTIONS}
    assert received.headers["accept"] == "text/event-stream"
    assert received.headers["accept-encoding"] == "identity"
    assert received.headers["content-type"] == "application/json"
    assert received.headers["user-agent"].startswith("batchrun/")


async def test_without_streaming_a_document_is_asked_for() -> None:
    """And no options for a stream, which would be an error there."""
    body = BODY | {"stream_options": {"include_obfuscation": False}}
    async with conversation(saying(whole(200, JSON, completion("Hi")))) as (server, provider):
        assert (await answer_of(provider, body, streamed=False)).text == "Hi"
    assert server.received[0].json == BODY | {"stream": False}
    assert server.received[0].headers["accept"] == "application/json"


async def test_the_jobs_own_stream_options_stand() -> None:
    """Whoever sets them knows why."""
    received = await sent(BODY | {"stream_options": {"include_usage": False}})
    assert received.json["stream_options"] == {"include_usage": False}


@pytest.mark.parametrize(
    ("base", "target"),
    [
        ("/v1", "/v1/chat/completions"),
        ("/v1/", "/v1/chat/completions"),
        ("", "/chat/completions"),
        ("/openai/deployments/d?api-version=1", "/openai/deployments/d/chat/completions?api-version=1"),
    ],
)
async def test_the_path_is_that_of_the_base_url(base: str, target: str) -> None:
    """It includes /v1 where the server has one; a query stays behind it."""
    async with ScriptedServer(saying(WHOLE)) as server, provider_for(server.url + base) as provider:
        await answer_of(provider)
    assert server.received[0].target == target


# -- credentials ------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize("backend", [{}, {"key_env": "NOT_SET"}, {"key_env": "CHAT_KEY", "simulated": True}], ids=str)
async def test_without_a_key_of_its_own_a_backend_gets_none(backend: dict[str, Any]) -> None:
    """Neither Claude's nor that which OpenAI's own client would find; and the embedded provider never a real one."""
    received = await sent(**backend)
    assert "authorization" not in received.headers
    assert "sk-" not in str(received)


@pytest.mark.usefixtures("key")
async def test_a_key_is_sent_where_the_backend_names_it() -> None:
    """By its variable; other headers come from the configuration."""
    received = await sent(key_env="CHAT_KEY", headers={"X-Title": "night"})
    assert received.headers["authorization"] == f"Bearer {CANARY}"
    assert received.headers["x-title"] == "night"
    assert "sk-of-" not in str(received)


async def test_a_key_may_come_from_a_file_or_a_header(tmp_path: Path) -> None:
    """For cron, and for servers that take it elsewhere."""
    path = tmp_path / "key"
    path.write_text(CANARY, encoding="utf-8")
    path.chmod(0o600)
    assert (await sent(key_file=path)).headers["authorization"] == f"Bearer {CANARY}"
    assert (await sent(headers={"api-key": CANARY})).headers["api-key"] == CANARY


@pytest.mark.usefixtures("key")
async def test_the_kind_of_credential_is_told_and_never_its_value() -> None:
    """What the first line of a run says."""
    for backend, told in [
        ({}, "no key"),
        ({"key_env": "NOT_SET"}, "no key: NOT_SET is not set"),
        ({"key_env": "CHAT_KEY"}, "API key from CHAT_KEY"),
        ({"simulated": True}, "none needed"),
    ]:
        config = BackendConfig("local", "openai", "http://localhost:1/v1/", headers={"api-key": CANARY}, **backend)  # type: ignore[arg-type]  # a row of the table
        provider: Provider = OpenAIChatProvider(config, max_slots=1)
        assert (provider.credential, provider.base_url, provider.wire) == (told, "http://localhost:1/v1", Wire.CHAT)
        assert repr(provider) == f"<OpenAIChatProvider http://localhost:1/v1 by {told}>"
        assert CANARY not in repr(provider) + repr(config)
        await provider.close()


@pytest.mark.usefixtures("key")
def test_claudes_key_goes_to_nobody_else() -> None:
    """Not even where a configuration says so: exit 78."""
    for name in ("local", "claude"):
        with pytest.raises(ConfigError, match="goes to claude alone"):
            OpenAIChatProvider(BackendConfig(name, "openai", key_env="ANTHROPIC_API_KEY"), max_slots=1)


@pytest.mark.parametrize(("key_env", "told"), [(None, "No key? (no key was sent; name "), ("CHAT_KEY", "No key?")])
@pytest.mark.usefixtures("key")
async def test_who_is_refused_without_a_key_is_told_how_to_name_one(key_env: str | None, told: str) -> None:
    """A server's own words seldom help in a settings file; with a key they stand alone."""
    async with conversation(saying(refusing(401, {"message": "No key?"})), key_env=key_env) as (_, provider):
        failure = await failure_of(provider)
    assert failure.cause is Cause.CREDENTIALS
    assert failure.message.startswith(told)
    assert ("[backends.local]" in failure.message) == (key_env is None)


def test_what_cannot_be_used_is_told_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that would travel in the open, a key that no header can carry."""
    with pytest.raises(ConfigError, match="--insecure-http"):
        OpenAIChatProvider(BackendConfig(base_url="http://api.test/v1"), max_slots=1)
    monkeypatch.setenv("CHAT_KEY", "two words")
    with pytest.raises(CredentialsError):
        OpenAIChatProvider(BackendConfig(key_env="CHAT_KEY"), max_slots=1)


async def test_without_a_base_url_openai_is_asked() -> None:
    """As the kind is named after it."""
    provider = OpenAIChatProvider(BackendConfig(kind="openai"), max_slots=1)
    assert provider.base_url == "https://api.openai.com/v1"
    await provider.close()


# -- the wish for the usage -------------------------------------------------------------------------------------------


UNKNOWN_FIELD = {"message": "property 'stream_options' is unsupported", "type": "invalid_request_error"}


@pytest.mark.parametrize("status", [400, 422])
async def test_a_server_that_refuses_stream_options_is_asked_without_them(status: int) -> None:
    """At once, and it costs no attempt; from then on they are left out, and the usage is an estimate that says so."""
    async with conversation(saying(refusing(status, UNKNOWN_FIELD), WHOLE)) as (server, provider):
        for _ in range(3):
            assert (await answer_of(provider)).text == "Hello there"
    assert ["stream_options" in request.json for request in server.received] == [True, False, False, False]
    assert {request.connection for request in server.received} == {0}


async def test_the_jobs_own_stream_options_are_not_taken_away() -> None:
    """The item fails by what it asked for, and the others go on as before."""
    async with conversation(saying(refusing(400, UNKNOWN_FIELD), WHOLE)) as (server, provider):
        told = await ask(provider, BODY | {"stream_options": OPTIONS})
        assert isinstance(told, Failure)
        assert told.cause is Cause.BAD_REQUEST
        await answer_of(provider)
    assert [request.json.get("stream_options") for request in server.received] == [OPTIONS, OPTIONS]


@pytest.mark.parametrize("status", [400, 500])
async def test_any_other_refusal_is_the_items_own(status: int) -> None:
    """Nothing is asked twice that did not name the field."""
    error = {"message": "no"} if status == 400 else UNKNOWN_FIELD
    async with conversation(saying(refusing(status, error))) as (server, provider):
        assert (await failure_of(provider)).status == status
    assert len(server.received) == 1


async def test_a_refusal_that_goes_on_is_told() -> None:
    """Also a server that names the field whatever is sent gets no third request."""
    async with conversation(saying(refusing(400, UNKNOWN_FIELD))) as (server, provider):
        assert (await failure_of(provider)).cause is Cause.BAD_REQUEST
    assert len(server.received) == 2


# -- what comes of the answers ----------------------------------------------------------------------------------------


REFUSALS: list[tuple[int, Any, Cause]] = [
    (400, {"message": "bad", "type": "invalid_request_error", "param": "n", "code": None}, Cause.BAD_REQUEST),
    (400, {"message": "long", "code": "context_length_exceeded"}, Cause.TOO_LARGE),
    (401, {"message": "key", "type": "invalid_request_error", "code": "invalid_api_key"}, Cause.CREDENTIALS),
    (402, {"message": "credits", "code": 402}, Cause.CREDENTIALS),
    (403, {"message": "region"}, Cause.CREDENTIALS),
    (404, {"message": "model", "code": "model_not_found"}, Cause.UNKNOWN_MODEL),
    (404, 'model "llama" not found, try pulling it first', Cause.UNKNOWN_MODEL),
    (413, {"message": "large"}, Cause.TOO_LARGE),
    (429, {"message": "slow", "type": "requests", "code": "rate_limit_exceeded"}, Cause.RATE_LIMITED),
    (429, {"message": "money", "type": "insufficient_quota", "code": "insufficient_quota"}, Cause.QUOTA),
    (500, {"message": "oops", "type": "server_error"}, Cause.SERVER_ERROR),
    (503, {"message": "loading", "type": "unavailable_error", "code": 503}, Cause.SERVER_ERROR),
    (529, {"message": "busy"}, Cause.OVERLOADED),
]


@pytest.mark.parametrize(("status", "error", "cause"), REFUSALS, ids=lambda value: str(value)[:30])
async def test_a_refusal_has_its_cause(status: int, error: Any, cause: Cause) -> None:
    """With its status, its words, how long to wait, and the server's own id for it."""
    refusal = refusing(status, error, retry_after="7", x_request_id="ignored").replace(b"request-id: req_1\r\n", b"", 1)
    async with conversation(saying(refusal)) as (_, provider):
        told = await failure_of(provider)
    message = error if isinstance(error, str) else error["message"]
    assert isinstance(told, Failure)
    assert told.message.startswith(message)
    assert replace(told, message="") == Failure(cause, "", status, retry_after=7.0, request_id="ignored")


@pytest.mark.parametrize(
    ("status", "content_type", "body", "message"),
    [
        (502, "text/html", b"<html>\n<h1>Bad gateway</h1>" + b"x" * 500_000, "<html> <h1>Bad gateway</h1>x"),
        (404, JSON, b'{"detail": "Not Found"}', '{"detail": "Not Found"}'),
        (400, JSON, b"[1]", "[1]"),
        (500, "text/plain", b"\xff", "\ufffd"),
        (503, "text/plain", b"", "Told"),
    ],
)
async def test_a_refusal_in_another_shape_is_kept_as_it_stands(
    status: int, content_type: str, body: bytes, message: str
) -> None:
    """F14: a page, a framework's own error, nothing at all; 2 KB of it at most."""
    async with conversation(saying(whole(status, content_type, body))) as (_, provider):
        told = await failure_of(provider)
    assert told.status == status
    assert told.message.startswith(message)
    assert len(told.message) <= 2048


@pytest.mark.usefixtures("key")
async def test_a_key_that_is_echoed_is_struck_out() -> None:
    """Of the body, of a header; a canary must be found nowhere."""
    refusal = refusing(401, {"message": f"Incorrect API key provided: {CANARY}."})
    redirect = whole(302, JSON, b"", location=f"https://elsewhere.test/?key={CANARY}")
    page = whole(200, f"text/{CANARY}", b"")
    async with conversation(saying(refusal, redirect, page), key_env="CHAT_KEY") as (_, provider):
        told = [await failure_of(provider) for _ in range(3)]
        assert provider.scrubbed(f"x {CANARY}") == "x ***"
    assert CANARY not in repr(told)
    assert told[0].message == "Incorrect API key provided: ***."


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirects_are_never_followed(status: int) -> None:
    """F33: the key would travel to another origin; the message says where it would have gone."""
    async with ScriptedServer(saying(WHOLE)) as elsewhere:
        redirect = whole(status, JSON, b"{}", location=f"{elsewhere.url}/v1/chat/completions")
        async with conversation(saying(redirect)) as (_, provider):
            told = await failure_of(provider)
        assert elsewhere.received == []
    assert told.status == status
    assert elsewhere.url in told.message


async def test_some_gateways_page_is_no_answer() -> None:
    """F14: a captive portal too says 200."""
    async with conversation(saying(whole(200, "text/html", b"<html>"))) as (_, provider):
        assert (await failure_of(provider)).cause is Cause.SERVER_ERROR


async def test_a_document_that_comes_instead_of_a_stream_is_read() -> None:
    """F13: by its content type; an error in it is one."""
    answers = (whole(200, JSON, completion("Hi")), whole(200, JSON, b'{"error": {"message": "no", "code": 429}}'))
    async with conversation(saying(*answers)) as (_, provider):
        assert (await answer_of(provider)).text == "Hi"
        assert (await failure_of(provider)).cause is Cause.RATE_LIMITED
