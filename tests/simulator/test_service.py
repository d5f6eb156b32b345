"""What happens to a request, without a socket: limits, scripted refusals, connections that end too early."""

from __future__ import annotations

from itertools import islice
from typing import Any

import orjson
import pytest

from batchrun.simulator.request_log import RequestLog
from batchrun.simulator.scenario import Scenario
from batchrun.simulator.script import NO_STATUS, Ending
from batchrun.simulator.service import Exchange, HttpRequest, Service
from batchrun.simulator.stats import Stats
from tests.simulator.chat import PATH, chat_body
from tests.simulator.wire import HEADERS, body_of

MESSAGES = "/v1/messages"


def service(**settings: Any) -> Service:
    return Service(Scenario(ttft=0, tokens_per_second=0, **settings), RequestLog(None), Stats())


def ask(of: Service, body: dict[str, Any], path: str = MESSAGES, *, is_first: bool = True) -> Exchange:
    return of.open(HttpRequest("POST", path, HEADERS, orjson.dumps(body), is_first=is_first))


def told(exchange: Exchange) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body, as they would be sent."""
    head, _, body = b"".join(data for _, data, _ in islice(exchange.script.pieces, 99)).partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")[1:]
    return exchange.script.status, dict(line.split(": ", 1) for line in lines), body


@pytest.mark.parametrize(("path", "body"), [(MESSAGES, body_of("Hi")), (PATH, chat_body("Hi"))])
def test_who_asks_too_often_is_refused_with_the_headers_of_that_wire(path: str, body: dict[str, Any]) -> None:
    """Two get in, each told what is left; the third is told to wait in whole seconds."""
    provider = service(requests_per_minute=30, burst_seconds=4)
    name = "anthropic-ratelimit-requests-remaining" if path == MESSAGES else "x-ratelimit-remaining-requests"
    answers = [told(ask(provider, body, path)) for _ in range(3)]
    assert [status for status, _, _ in answers] == [200, 200, 429]
    assert [headers[name] for _, headers, _ in answers] == ["1", "0", "0"]
    assert answers[2][1]["retry-after"] == "2"
    assert (provider.stats.admitted, provider.stats.refused, provider.stats.faults) == (2, 1, {})


def test_streams_tell_what_is_left_too() -> None:
    """In their head."""
    _, headers, _ = told(ask(service(output_tokens_per_minute=1000), body_of("Hi [[tokens=100]]", stream=True)))
    assert headers["anthropic-ratelimit-output-tokens-remaining"] == "900"
    assert headers["anthropic-ratelimit-tokens-limit"] == "1000"


def test_a_provider_without_quota_headers_refuses_without_a_word() -> None:
    """No limits, no waits; the client has to find out."""
    provider = service(requests_per_minute=1, quota_headers=False)
    for expected in (200, 429):
        status, headers, _ = told(ask(provider, body_of("Hi")))
        assert status == expected
        assert not [name for name in headers if "ratelimit" in name or "retry" in name]


def test_a_refused_request_was_never_seen() -> None:
    """The faults of a night do not hang on how fast the client is."""
    provider = service(requests_per_minute=1)
    body = body_of("Hi [[error=529*1]]")
    assert told(ask(provider, body_of("the minute's only one")))[0] == 200
    assert told(ask(provider, body))[0] == 429
    unlimited = service()
    assert [told(ask(unlimited, body))[0] for _ in range(2)] == [529, 200]


@pytest.mark.parametrize(("how", "ending"), [("", Ending.CLOSE), (" how=reset", Ending.RESET)])
def test_a_stale_connection_ends_and_a_new_one_is_served(how: str, ending: Ending) -> None:
    """Whoever comes on a connection that has served before finds it gone."""
    provider, body = service(), body_of(f"Hi [[fault=stale{how}]]")
    gone = ask(provider, body, is_first=False).script
    assert (gone.status, gone.ending, list(gone.pieces)) == (NO_STATUS, ending, [])
    assert told(ask(provider, body))[0] == 200


@pytest.mark.parametrize(
    ("directive", "status", "words"),
    [
        ("error=502 html", 502, b"<h1>502 from the gateway</h1>"),
        ("error=429 code=enforced_spend_limit_reached", 429, b'"error_code":"enforced_spend_limit_reached"'),
        ("fault=redirect", 307, b""),
        ("fault=portal", 200, b"sign in"),
    ],
)
def test_a_scripted_refusal_looks_like_the_real_one(directive: str, status: int, words: bytes) -> None:
    """A gateway's page, a code in the details, a redirect."""
    answered, headers, body = told(ask(service(), body_of(f"Hi [[{directive}]]")))
    assert (answered, words in body) == (status, True)
    assert headers["content-type"].startswith("application/json") == (b"error_code" in words)


def test_an_answer_that_pauses_goes_on_when_it_is_sent_back() -> None:
    """It pauses in a tool of the provider's own; the second part is another one, and ends."""
    provider, body = service(), body_of("Search [[stop=pause_turn*1]]")
    first = orjson.loads(told(ask(provider, body))[2])
    assert first["stop_reason"] == "pause_turn"
    assert [block["type"] for block in first["content"]] == ["text", "server_tool_use"]
    body["messages"] = [*body["messages"], {"role": "assistant", "content": first["content"]}]
    second = orjson.loads(told(ask(provider, body))[2])
    assert (second["stop_reason"], second["id"] != first["id"]) == ("end_turn", True)


@pytest.mark.parametrize(
    ("model", "content", "status"),
    [
        ("claude-haiku-5-5", "I would say", 400),
        ("claude-haiku-5-5", [{"type": "text", "text": "I would say"}], 400),
        ("claude-haiku-4-5", "I would say", 200),
    ],
)
def test_current_models_begin_their_answers_themselves(model: str, content: object, status: int) -> None:
    """F35: a prefill is the request's fault."""
    body = body_of("Hi", model=model)
    body["messages"] = [*body["messages"], {"role": "assistant", "content": content}]
    assert told(ask(service(), body))[0] == status
