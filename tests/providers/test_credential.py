"""Which key goes to which backend, and over what it may travel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest

from batchrun.errors import ConfigError, CredentialsError
from batchrun.failure import AttemptFailed, Cause
from batchrun.providers.anthropic import AnthropicProvider
from batchrun.providers.credential import OF_CLAUDE, given_key, require_safe
from batchrun.providers.provider import BackendConfig, Request
from batchrun.stream.attempt import attempt
from batchrun.stream.clocks import ClockLimits
from batchrun.stream.meter import Account, Meter
from tests.providers.fakes import JSON, ProviderThatAnswers, ProviderThatTurnsAway
from tests.providers.scripted_server import Received, ScriptedServer, playing, saying, whole

CANARY = "sk-canary-31ab"
BODY: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "What now?"}]}


def test_a_key_comes_from_the_file_or_from_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file first; without either, and with a variable that is not set, there is none."""
    path = tmp_path / "key"
    path.write_text("sk-of-the-file\n", encoding="utf-8")
    path.chmod(0o600)
    monkeypatch.setenv("SOME_KEY", f" {CANARY}\n")
    assert given_key(BackendConfig(key_env="SOME_KEY")) == CANARY
    assert given_key(BackendConfig(key_env="SOME_KEY", key_file=path)) == "sk-of-the-file"
    assert given_key(BackendConfig(key_env="NOT_SET")) is None
    assert given_key(BackendConfig()) is None
    monkeypatch.setenv("SOME_KEY", " ")
    assert given_key(BackendConfig(key_env="SOME_KEY")) is None


@pytest.mark.parametrize("end", ["\rx", "\x1bx", "é", " x", "\n\nx"], ids=repr)
def test_a_key_that_no_header_can_carry_is_told_and_not_shown(end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would fail every request of the night."""
    monkeypatch.setenv("SOME_KEY", CANARY + end)
    with pytest.raises(CredentialsError, match="key in SOME_KEY") as caught:
        given_key(BackendConfig(key_env="SOME_KEY"))
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("url", ["http://api.test/v1", "http://127.0.0.1.evil.test", "http://0.0.0.0:80"])
def test_a_key_does_not_travel_unencrypted(url: str) -> None:
    """http is for loopback, or for who says that nobody listens."""
    with pytest.raises(ConfigError, match="--insecure-http"):
        require_safe(httpx2.URL(url), BackendConfig())
    require_safe(httpx2.URL(url), BackendConfig(insecure_http=True))


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1", "https://api.test/v1"])
def test_loopback_and_https_are_safe(url: str) -> None:
    """These need no flag."""
    require_safe(httpx2.URL(url), BackendConfig())


def test_a_password_in_a_url_is_refused() -> None:
    """The URL is shown at the start of each run."""
    with pytest.raises(ConfigError, match="password") as caught:
        require_safe(httpx2.URL(f"https://me:{CANARY}@api.test"), BackendConfig(name="mine", insecure_http=True))
    assert CANARY not in str(caught.value)


# -- as the Messages API's provider uses it ---------------------------------------------------------------------------


async def sent(**backend: Any) -> Received:
    async with ScriptedServer(playing(ProviderThatAnswers("Hi"))) as server:
        provider = AnthropicProvider(BackendConfig(base_url=server.url, **backend), max_slots=1)
        try:
            await attempt(provider, Request(BODY), ClockLimits(), Meter(Account()))
        finally:
            await provider.close()
    [received] = server.received
    return received


async def test_a_backend_of_anthropics_kind_has_its_own_key_headers_and_betas(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway gets the key that is named for it, and never Claude's."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-of-claude")
    monkeypatch.setenv("GATEWAY_KEY", CANARY)
    received = await sent(key_env="GATEWAY_KEY", headers={"X-Team": "night"}, betas=("one", "two"))
    assert received.headers["authorization"] == f"Bearer {CANARY}"
    assert received.headers["x-team"] == "night"
    assert received.headers["anthropic-beta"] == "one,two"
    assert "sk-of-claude" not in str(received.headers)


def test_a_named_key_that_is_not_set_is_not_made_up_for_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 77: the SDK would send Claude's key to whoever the base URL names."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", CANARY)
    with pytest.raises(CredentialsError, match="GATEWAY_KEY is not set"):
        AnthropicProvider(BackendConfig(name="gateway", base_url="https://gw.test", key_env="GATEWAY_KEY"), max_slots=1)


# -- what Claude's key is for -----------------------------------------------------------------------------------------


@pytest.fixture
def claudes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every way in which the environment gives the SDK a credential of Claude's."""
    token = tmp_path / "token"
    token.write_text(CANARY, encoding="utf-8")
    monkeypatch.setenv("ANTHROPIC_API_KEY", CANARY)
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", CANARY)
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", f"X-Api-Key: {CANARY}\nauthorization: {CANARY}\nX-Pass: {CANARY}")
    monkeypatch.setenv("ANTHROPIC_IDENTITY_TOKEN_FILE", str(token))
    monkeypatch.setenv("ANTHROPIC_FEDERATION_RULE_ID", "fdrl_1")
    monkeypatch.setenv("ANTHROPIC_ORGANIZATION_ID", "org_1")


@pytest.mark.usefixtures("claudes")
@pytest.mark.parametrize("name", ["local", "claude"])
async def test_another_backend_of_anthropics_kind_never_gets_claudes_key(name: str) -> None:
    """A local server that needs none is asked without one, and the start of the run says so."""
    received = await sent(name=name)
    assert not {"authorization", "x-api-key"} & received.headers.keys()
    assert CANARY not in str(received)
    provider = AnthropicProvider(BackendConfig(name=name, base_url="https://gw.test"), max_slots=1)
    assert provider.credential.startswith("no key")
    await provider.close()


@pytest.mark.usefixtures("claudes")
async def test_a_key_of_its_own_goes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment would add to each request of the SDK, under the same name even, stays at home."""
    monkeypatch.setenv("GATEWAY_KEY", "sk-of-the-gateway")
    received = await sent(name="gateway", key_env="GATEWAY_KEY", headers={"X-Pass": "mine"})
    assert received.headers["authorization"] == "Bearer sk-of-the-gateway"
    assert received.headers["x-pass"] == "mine"
    assert CANARY not in str(received)


@pytest.mark.usefixtures("claudes")
async def test_warming_up_gives_no_key_away() -> None:
    """The request that only makes a connection is a request too."""
    async with ScriptedServer(saying(whole(200, JSON, b"{}"))) as server:
        provider = AnthropicProvider(BackendConfig(name="local", base_url=server.url), max_slots=1)
        await provider.warm(5.0)
        await provider.close()
    [received] = server.received
    assert received.method == "GET"
    assert CANARY not in str(received)


@pytest.mark.usefixtures("claudes")
@pytest.mark.parametrize("variable", sorted(OF_CLAUDE))
def test_claudes_key_cannot_be_named_for_another(variable: str) -> None:
    """Exit 78, with the remedy; `claude` itself may name it."""
    with pytest.raises(ConfigError, match=f"{variable} goes to claude alone; put the key that is meant into another"):
        given_key(BackendConfig(name="local", key_env=variable))
    assert given_key(BackendConfig(name="claude", key_env=variable)) == CANARY


async def test_who_is_refused_without_a_key_is_told_how_to_name_one() -> None:
    """A server's own words seldom help in a settings file."""
    async with ScriptedServer(playing(ProviderThatTurnsAway(401))) as server:
        provider = AnthropicProvider(BackendConfig(name="local", base_url=server.url), max_slots=1)
        with pytest.raises(AttemptFailed) as caught:
            await attempt(provider, Request(BODY), ClockLimits(), Meter(Account()))
        await provider.close()
    assert caught.value.failure.cause is Cause.CREDENTIALS
    assert "no key was sent; name the variable that holds it with key_env in [backends.local]" in str(caught.value)
