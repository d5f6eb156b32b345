"""A request of chat completions said as one of the Messages API. Pure."""

from __future__ import annotations

import json
from typing import Any

import orjson

from batchrun.jobs.translate import INLINE_IMAGE, SHARED, TOOL_CHOICES, Problems, spoken

_SILENCE: dict[str, object] = {
    "tools": [],
    "stop": [],
    "n": 1,
    "logprobs": False,
    "logit_bias": {},
    "frequency_penalty": 0,
    "presence_penalty": 0,
    "response_format": {"type": "text"},
    "modalities": ["text"],
    "parallel_tool_calls": True,
    "service_tier": "auto",
    "store": False,
}
_MAX_TEMPERATURE = 1  # that of chat completions is 2
_NO_PARAMETERS: dict[str, Any] = {"type": "object", "properties": {}}
_CHOICES = {word: kind for kind, word in TOOL_CHOICES}


def to_messages(body: dict[str, Any]) -> dict[str, Any]:
    """The same request for the Messages API. Raises Untranslatable."""
    problems = Problems()
    asked = spoken(body, _SILENCE)
    if "max_completion_tokens" in asked:
        if "max_tokens" in asked:
            problems.at("max_tokens")
        asked["max_tokens"] = asked.pop("max_completion_tokens")
    said = {name: asked.pop(name) for name in SHARED if name in asked}
    temperature = said.get("temperature")
    if isinstance(temperature, int | float) and temperature > _MAX_TEMPERATURE:
        problems.at("temperature")
    said |= _conversation(asked.pop("messages", []), problems)
    if "stop" in asked:
        stop = asked.pop("stop")
        said["stop_sequences"] = [stop] if isinstance(stop, str) else stop
    if "tools" in asked:
        said["tools"] = [_tool(tool, where, problems) for where, tool in problems.objects(asked.pop("tools"), "tools")]
    said |= _choice(asked.pop("tool_choice", None), asked.pop("parallel_tool_calls", True), problems)
    for field in asked:
        problems.at(field)
    problems.raise_any()
    return said


def _conversation(messages: object, problems: Problems) -> dict[str, Any]:
    """`system` and `messages`: instructions before the first turn go into the former."""
    leading: list[object] = []
    turns: list[dict[str, Any]] = []
    results: list[Any] | None = None  # of the last turn, while what the user says to them may still follow
    for where, message in problems.turns(messages):
        turn = _turn(message, where, problems)
        match turn["role"]:
            case "system" if not turns:
                leading.append(turn["content"])
            case "user" if results is not None:
                results += _blocks(turn["content"])
            case _:
                turns.append(turn)
        results = turns[-1]["content"] if message.get("role") == "tool" else None
    if not leading:
        return {"messages": turns}
    system = leading[0] if len(leading) == 1 else [block for content in leading for block in _blocks(content)]
    return {"system": system, "messages": turns}


def _blocks(content: object) -> list[Any]:
    return content if isinstance(content, list) else [{"type": "text", "text": content}]


def _turn(message: dict[str, Any], where: str, problems: Problems) -> dict[str, Any]:
    role, content, place = message.get("role"), message.get("content"), f"{where}.content"
    if role == "assistant":
        return {"role": role, "content": _assistant(message, where, problems)}
    problems.beside(message, {"role", "content"} | ({"tool_call_id"} if role == "tool" else set()), where)
    match role:
        case "system" | "developer":
            return {"role": "system", "content": problems.texts(content, place)}
        case "user":
            if not isinstance(content, str):
                content = [_block(part, at, problems) for at, part in problems.objects(content, place)]
            return {"role": "user", "content": content}
        case "tool":
            result = {"type": "tool_result", "tool_use_id": message.get("tool_call_id")}
            return {"role": "user", "content": [result | {"content": problems.texts(content, place)}]}
        case _:
            problems.at(f"{where}.role")
            return {"role": None, "content": content}


def _block(part: dict[str, Any], where: str, problems: Problems) -> dict[str, Any]:
    if part.get("type") != "image_url":
        return problems.text(part, where)
    problems.beside(part, {"type", "image_url"}, where)
    image = part.get("image_url")
    match spoken(image, {"detail": "auto"}) if isinstance(image, dict) else None:
        case {"url": str(url), **more} if not more:
            inline = INLINE_IMAGE.fullmatch(url)
        case _:
            url, inline = "data:", None
    if inline:
        return {"type": "image", "source": {"type": "base64", "media_type": inline[1], "data": inline[2]}}
    if url.startswith("data:"):
        problems.at(f"{where}.image_url")
    return {"type": "image", "source": {"type": "url", "url": url}}


def _assistant(message: dict[str, Any], where: str, problems: Problems) -> object:
    problems.beside(spoken(message, {"annotations": []}), {"role", "content", "tool_calls"}, where)
    content, calls = message.get("content"), message.get("tool_calls") or []
    if not calls:
        return problems.texts(content, f"{where}.content")
    # Beside calls some servers write no text as an empty one, which the Messages API refuses.
    texts = _blocks(problems.texts(content, f"{where}.content")) if content else []
    return [*texts, *(_use(call, at, problems) for at, call in problems.objects(calls, f"{where}.tool_calls"))]


def _use(call: dict[str, Any], where: str, problems: Problems) -> dict[str, Any]:
    function = call.get("function")
    if call.get("type", "function") != "function" or not isinstance(function, dict):
        problems.at(where)
        return {}
    problems.beside(call, {"id", "type", "function", "index"}, where)
    problems.beside(function, {"name", "arguments"}, f"{where}.function")
    arguments = _object_in(function.get("arguments"))
    if arguments is None:
        problems.at(f"{where}.function.arguments")
    return {"type": "tool_use", "id": call.get("id"), "name": function.get("name"), "input": arguments}


def _object_in(text: object) -> dict[str, Any] | None:
    """The object in a JSON text, where "" is an empty one; None where there is none, or a number would be rounded."""
    if not isinstance(text, str):
        return None
    try:
        value = orjson.loads(text or "{}")
        return value if isinstance(value, dict) and json.loads(text or "{}") == value else None
    except (ValueError, RecursionError):
        return None


def _tool(tool: dict[str, Any], where: str, problems: Problems) -> dict[str, Any]:
    function = tool.get("function")
    if tool.get("type") != "function" or not isinstance(function, dict):
        problems.at(where)
        return {}
    problems.beside(tool, {"type", "function"}, where)
    problems.beside(function, {"name", "description", "parameters", "strict"}, f"{where}.function")
    said = {name: function[name] for name in ("name", "description", "strict") if function.get(name) is not None}
    parameters = function.get("parameters")
    return said | {"input_schema": _NO_PARAMETERS if parameters is None else parameters}


def _choice(choice: object, parallel: object, problems: Problems) -> dict[str, Any]:
    alone = {} if parallel else {"disable_parallel_tool_use": True}
    match choice:
        case None:
            return {"tool_choice": {"type": "auto"} | alone} if alone else {}
        case "none":
            return {"tool_choice": {"type": "none"}}
        case "auto" | "required" as word:
            return {"tool_choice": {"type": _CHOICES[word]} | alone}
        case {"type": "function", "function": {"name": str(name), **more}} if not more:
            return {"tool_choice": {"type": "tool", "name": name} | alone}
        case _:
            problems.at("tool_choice")
            return {}
