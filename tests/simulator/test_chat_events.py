"""An answer in the words of chat completions, and how faults cut it; without a wire."""

from __future__ import annotations

import json
from typing import Any

import pytest

from batchrun.simulator.answers import SimulatedAnswer
from batchrun.simulator.api_error import ApiError, error_of
from batchrun.simulator.chat_error import chat_error_body
from batchrun.simulator.chat_events import chat_events, closing_events, completion_json
from batchrun.simulator.dialect import CHAT_API
from batchrun.simulator.faults import Fault, FaultKind
from batchrun.simulator.framing import LAST_CHUNK
from batchrun.simulator.repertoire import answer_script
from batchrun.simulator.scenario import Scenario
from batchrun.simulator.script import Ending, Part, Script
from tests.simulator.chat import FORCED, answer_to, chat_body

ANSWER = answer_to(chat_body("Hello [[tokens=10]]"))
PACED = Scenario(ttft=0.5, tokens_per_second=10)


def events_of(answer: SimulatedAnswer, *, with_usage: bool = False, with_space: bool = True) -> list[bytes]:
    return [data for data, _ in chat_events(answer, with_usage=with_usage, with_space=with_space)]


def chunks_of(answer: SimulatedAnswer, *, with_usage: bool = False) -> list[dict[str, Any]]:
    """The JSON of all events that have any."""
    events = events_of(answer, with_usage=with_usage)
    return [json.loads(event.removeprefix(b"data: ")) for event in events if event.startswith(b"data: {")]


def deltas_of(answer: SimulatedAnswer) -> list[dict[str, Any]]:
    return [chunk["choices"][0]["delta"] for chunk in chunks_of(answer)]


def test_events_come_in_the_order_of_the_api() -> None:
    """A role, a comment that keeps the connection alive, a token each, the finish_reason, the end."""
    role, comment, *tokens, finish, done = events_of(ANSWER)
    assert json.loads(role.removeprefix(b"data: "))["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert comment == b": keep-alive\n\n"
    assert [json.loads(token.removeprefix(b"data: "))["choices"][0]["delta"]["content"] for token in tokens] == list(
        ANSWER.tokens
    )
    assert json.loads(finish.removeprefix(b"data: "))["choices"][0]["finish_reason"] == "stop"
    assert done == b"data: [DONE]\n\n"


def test_each_chunk_has_its_head() -> None:
    """The same id and model; and a usage only where it was asked for, null but for the last."""
    plain, asked = chunks_of(ANSWER), chunks_of(ANSWER, with_usage=True)
    assert {(chunk["id"], chunk["object"], chunk["model"]) for chunk in plain + asked} == {
        (f"chatcmpl-{ANSWER.request}", "chat.completion.chunk", "claude-haiku-5-5")
    }
    assert not any("usage" in chunk for chunk in plain)
    *before, last = asked
    assert {chunk["usage"] for chunk in before} == {None}
    assert (last["choices"], last["usage"]["completion_tokens"]) == ([], 10)


def test_the_space_after_the_colon_can_be_left_out() -> None:
    """As some servers do; nothing else changes."""
    spaced, tight = events_of(ANSWER), events_of(ANSWER, with_space=False)
    assert [event.replace(b"data: ", b"data:", 1) for event in spaced] == tight
    assert not any(event.startswith(b"data: ") for event in tight)


@pytest.mark.parametrize(
    ("prompt", "fields", "reason"),
    [
        ("Hi", {}, "stop"),
        ("Hi", {"stop": "You"}, "stop"),
        ("Hi", {"max_tokens": 3}, "length"),
        ("Hi", FORCED, "tool_calls"),
        ("Hi [[refuse]]", {}, "stop"),
        ("Hi [[stop=content_filter]]", {}, "content_filter"),
    ],
)
def test_stop_reasons_have_their_finish_reasons(prompt: str, fields: dict[str, Any], reason: str) -> None:
    """In a stream and in a document."""
    answer = answer_to(chat_body(prompt, **fields))
    assert chunks_of(answer)[-1]["choices"][0]["finish_reason"] == reason
    assert json.loads(completion_json(answer))["choices"][0]["finish_reason"] == reason


def test_a_refusal_stands_in_its_own_field() -> None:
    """In a stream and in a document; there is no content then."""
    answer = answer_to(chat_body("Do it [[refuse]]"))
    assert "".join(delta.get("refusal", "") for delta in deltas_of(answer)) == answer.text
    message = json.loads(completion_json(answer))["choices"][0]["message"]
    assert (message["content"], message["refusal"]) == (None, answer.text)


def test_a_tool_call_comes_in_pieces() -> None:
    """Its id and name first, then the arguments."""
    answer = answer_to(chat_body("Report", **FORCED))
    assert answer.tool is not None
    calls = [call for delta in deltas_of(answer) for call in delta.get("tool_calls", ())]
    assert calls[0] == {
        "index": 0,
        "id": answer.tool.id,
        "type": "function",
        "function": {"name": "file_report", "arguments": ""},
    }
    assert "".join(call["function"]["arguments"] for call in calls) == json.dumps(
        answer.tool.input, separators=(",", ":"), ensure_ascii=False
    )


def test_reasoning_comes_before_the_text() -> None:
    """And its tokens are told apart in the usage."""
    answer = answer_to(chat_body("Think", reasoning_effort="high"))
    assert answer.thinking is not None
    told = [next(iter(delta)) for delta in deltas_of(answer)[1:-1]]
    assert told == ["reasoning_content"] * len(answer.thinking.tokens) + ["content"] * len(answer.tokens)
    usage = json.loads(completion_json(answer))["usage"]
    assert usage["completion_tokens_details"] == {"reasoning_tokens": answer.thinking.cost}
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def test_a_model_may_have_any_name() -> None:
    """Even one that looks like the place where a token goes."""
    answer = answer_to(chat_body("Hello [[tokens=5]]", model="@"))
    assert "".join(delta.get("content", "") for delta in deltas_of(answer)) == answer.text
    assert {chunk["model"] for chunk in chunks_of(answer)} == {"@"}


# -- faults -----------------------------------------------------------------------------------------------------------


def script_of(fault: Fault, *, streamed: bool = True, with_usage: bool = False) -> Script:
    body = chat_body("x", stream_options={"include_usage": True} if with_usage else None)
    return answer_script(Part(ANSWER, streamed, fault, PACED, "req_1", CHAT_API.wording(body, PACED)))


def sent(script: Script) -> bytes:
    return b"".join(data for _, data, _ in script.pieces)


@pytest.mark.parametrize("with_usage", [False, True])
@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("kind", [FaultKind.RESET, FaultKind.CUT, FaultKind.TRUNCATED, FaultKind.SILENCE])
@pytest.mark.parametrize("point", [0.0, 0.5, 0.999999])
def test_a_fault_never_lets_an_end_through(kind: FaultKind, point: float, *, streamed: bool, with_usage: bool) -> None:
    """What is sent is a true prefix that no client can take for a whole answer: neither finish_reason nor [DONE]."""
    part = sent(script_of(Fault(kind, point=point), streamed=streamed, with_usage=with_usage)).removesuffix(LAST_CHUNK)
    whole = sent(script_of(Fault(), streamed=streamed, with_usage=with_usage))
    assert whole.startswith(part)
    assert len(part) < len(whole)
    assert not (streamed and (b'"finish_reason":"stop"' in part or b"DONE" in part))


def test_the_pace_is_that_of_the_scenario() -> None:
    """The first token after ttft, the others a gap later each; as many closing events as there are."""
    script = script_of(Fault(), with_usage=True)
    due = [at for at, _, _ in script.pieces]
    assert due[:4] == pytest.approx([0.5] * 4)
    assert due[4:12] == pytest.approx([0.5 + 0.1 * number for number in range(1, 9)])
    assert due[13:] == pytest.approx([1.5] * (closing_events(with_usage=True) + 1))
    assert script.ending is Ending.KEEP


# -- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "kind", "code", "param"),
    [
        (ApiError(400, "stop: must be a list"), "invalid_request_error", None, "stop"),
        (ApiError(400, "messages.0.role: must be"), "invalid_request_error", None, "messages.0.role"),
        (ApiError(400, "The request: no"), "invalid_request_error", None, None),
        (ApiError(401, "no"), "invalid_request_error", "invalid_api_key", None),
        (ApiError(404, "model: no"), "invalid_request_error", "model_not_found", "model"),
        (error_of(429), "requests", "rate_limit_exceeded", None),
        (error_of(503), "server_error", None, None),
    ],
)
def test_errors_have_the_apis_shape(error: ApiError, kind: str, code: str | None, param: str | None) -> None:
    """A message, a type, the field at fault, a code."""
    told = json.loads(chat_error_body(error, "req_1"))["error"]
    assert told == {"message": error.message, "type": kind, "param": param, "code": code}
