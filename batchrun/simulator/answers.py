"""The answer to a request: a pure function of its body, so that a test can see that no text was lost or mixed up.

The text opens with the first words of the prompt and the hash of the request, and goes on with prose drawn from that
hash. How it goes over the wire stands in `events.py`; what a prompt can ask for in `[[...]]` stands in `directives.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import Any

import orjson

from batchrun.simulator.directives import Directives, directives_in, without_directives
from batchrun.simulator.prose import pieces, sentences
from batchrun.simulator.request import (
    SERVER_TOOL,
    has_cached_system,
    input_tokens,
    prompt_of,
    request_hash,
    system_tokens,
    turns_given,
)

_SHORTEST, _LONGEST = 40, 300
_QUOTED_WORDS, _QUOTED_CHARS = 8, 60
_REFUSAL_TOKENS = 8
_JSON_PIECE_CHARS = 12


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A block of this `kind`: `arguments` as they are streamed, their concatenation being the JSON of `input`."""

    id: str
    name: str
    input: dict[str, Any]
    arguments: tuple[str, ...]
    kind: str = "tool_use"


@dataclass(frozen=True, slots=True)
class Thinking:
    """A thinking block; `tokens` is empty where the request asked for it to be omitted, `cost` is billed either way."""

    tokens: tuple[str, ...]
    signature: str
    cost: int


@dataclass(frozen=True, slots=True)
class SimulatedAnswer:
    """One answer. `tokens` are the pieces of `text`, one delta each.

    `output_tokens` counts thinking and tool arguments too. The block order is thinking, text, tool; a block that
    is None or empty is not sent.
    """

    text: str
    tokens: tuple[str, ...]
    input_tokens: int
    output_tokens: int
    stop_reason: str
    message_id: str
    model: str
    request: str
    stop_sequence: str | None = None
    cache_creation_input_tokens: int = 0
    cache_read_input_tokens: int = 0
    thinking: Thinking | None = None
    tool: ToolCall | None = None


def answer_for(body: dict[str, Any]) -> SimulatedAnswer:
    """The answer to a Messages request; the same for streaming and not, and for any order of the keys."""
    request = request_hash(body)
    chance = Random(int(request, 16))
    directives = directives_in(prompt_of(body))
    cached = system_tokens(body) if has_cached_system(body) else 0
    blank = SimulatedAnswer(
        text="",
        tokens=(),
        input_tokens=input_tokens(body) + system_tokens(body) - cached,
        output_tokens=0,
        stop_reason=directives.stop_reason_for(turns_given(body)) or "end_turn",
        message_id=f"msg_{request}",
        model=str(body.get("model")),
        request=request,
        cache_creation_input_tokens=cached,
        thinking=_thinking(body, chance),
    )
    left = max(0, int(body.get("max_tokens") or 0) - (blank.thinking.cost if blank.thinking else 0))
    if tool := _chosen_tool(body, chance):
        return _with_tool(blank, tool, chance, left)
    return _with_text(blank, body, directives, chance, left)


def _with_text(
    blank: SimulatedAnswer, body: dict[str, Any], directives: Directives, chance: Random, left: int
) -> SimulatedAnswer:
    """`left` is what max_tokens leaves to the text."""
    wanted = chance.randint(_SHORTEST, _LONGEST) if directives.tokens is None else directives.tokens
    if blank.stop_reason == "refusal":
        wanted = min(wanted, _REFUSAL_TOKENS)
    opening = pieces(_opening(prompt_of(body), blank.request))
    written = (opening + pieces(" " + sentences(chance, wanted - len(opening))))[:wanted]
    text, stop_sequence = _stopped("".join(written[:left]), body.get("stop_sequences") or ())
    stop_reason = blank.stop_reason
    if stop_sequence is not None:
        stop_reason = "stop_sequence"
    elif len(written) > left:
        stop_reason = "max_tokens"
    tokens = pieces(text)
    return replace(
        blank,
        text=text,
        tokens=tokens,
        output_tokens=_billed(blank, len(tokens)),
        stop_reason=stop_reason,
        stop_sequence=stop_sequence,
        tool=_search(blank) if stop_reason == "pause_turn" else None,
    )


def _search(blank: SimulatedAnswer) -> ToolCall:
    """What an answer pauses in: the provider's own tool, which nobody else runs."""
    query = {"query": f"request {blank.request}"}
    arguments = (orjson.dumps(query).decode(),)
    return ToolCall(f"srvtoolu_{blank.request}", "web_search", query, arguments, kind=SERVER_TOOL)


def _with_tool(blank: SimulatedAnswer, tool: dict[str, Any], chance: Random, left: int) -> SimulatedAnswer:
    schema = tool.get("input_schema")
    values = _values_for(schema, chance, blank.request) if isinstance(schema, dict) else {}
    json = orjson.dumps(values).decode()
    arguments = tuple(json[at : at + _JSON_PIECE_CHARS] for at in range(0, len(json), _JSON_PIECE_CHARS))
    whole = len(arguments) <= left
    call = ToolCall(
        id=f"toolu_{blank.request}",
        name=str(tool.get("name")),
        # Arguments that max_tokens cut off are no JSON: a whole message can only show them as an empty object.
        input=values if whole else {},
        arguments=arguments[:left],
    )
    return replace(
        blank,
        output_tokens=_billed(blank, len(call.arguments)),
        stop_reason="tool_use" if whole else "max_tokens",
        tool=call,
    )


def _opening(prompt: str, request: str) -> str:
    words = without_directives(prompt).split()
    if not words:
        return f"You asked without words (request {request})."
    quote = " ".join(words[:_QUOTED_WORDS])
    if len(words) > _QUOTED_WORDS or len(quote) > _QUOTED_CHARS:
        quote = quote[:_QUOTED_CHARS].rstrip() + " …"
    return f'You asked "{quote}" (request {request}).'


def _stopped(text: str, stop_sequences: Any) -> tuple[str, str | None]:
    """The text up to the stop sequence that comes first, and that sequence."""
    found = [(text.find(stop), stop) for stop in stop_sequences if stop and stop in text]
    if not found:
        return text, None
    at, stop = min(found)
    return text[:at], stop


def _billed(answer: SimulatedAnswer, tokens: int) -> int:
    # The API bills at least one token, even for an empty answer.
    return max(1, tokens + (answer.thinking.cost if answer.thinking else 0))


def _thinking(body: dict[str, Any], chance: Random) -> Thinking | None:
    config = body.get("thinking") or {}
    if config.get("type") not in ("enabled", "adaptive"):
        return None
    cost = min(chance.randint(15, 60), int(body.get("max_tokens") or 0))
    shown = pieces(sentences(chance, cost)) if config.get("display") != "omitted" else ()
    return Thinking(shown, signature=f"sig_{chance.getrandbits(256):064x}", cost=cost)


def _chosen_tool(body: dict[str, Any], chance: Random) -> dict[str, Any] | None:
    """The tool that the request forces on the model; left to choose, the simulator answers in words."""
    tools: list[dict[str, Any]] = body.get("tools") or []
    choice = body.get("tool_choice") or {}
    match choice.get("type"):
        case "any" if tools:
            return chance.choice(tools)
        case "tool":
            return next((tool for tool in tools if tool.get("name") == choice.get("name")), None)
        case _:
            return None


def _values_for(schema: dict[str, Any], chance: Random, request: str) -> dict[str, Any]:
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return {}
    return {name: _value_for(value, chance, request) for name, value in properties.items()}


def _value_for(schema: Any, chance: Random, request: str) -> Any:
    if not isinstance(schema, dict):  # JSON Schema allows `true` for "anything"
        return None
    options = schema.get("enum")
    if isinstance(options, list) and options:
        return chance.choice(options)
    kind = schema.get("type")
    if kind == "object":
        return _values_for(schema, chance, request)
    if kind == "array":
        return [_value_for(schema.get("items"), chance, request)]
    plain = {
        "integer": chance.randint(1, 1000),
        "number": chance.randint(1, 1000) / 8,
        "boolean": chance.random() < 0.5,
        "null": None,
    }
    text = f"{sentences(chance, 6)} (request {request})"
    return plain.get(kind, text) if isinstance(kind, str) else text
