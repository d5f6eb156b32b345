"""A request of the Messages API said as one of chat completions. Pure."""

from __future__ import annotations

from typing import Any

import orjson

from batchrun.jobs.translate import INLINE_IMAGE, SHARED, TOOL_CHOICES, Problems, spoken

_SILENCE: dict[str, object] = {"tools": [], "stop_sequences": [], "service_tier": "auto"}
_CHOICES = dict(TOOL_CHOICES)

Block = tuple[str, dict[str, Any]]


def to_chat(body: dict[str, Any]) -> dict[str, Any]:
    """The same request for chat completions. Raises Untranslatable."""
    problems = Problems()
    asked = spoken(body, _SILENCE)
    said = {name: asked.pop(name) for name in SHARED if name in asked}
    turns: list[dict[str, Any]] = []
    if "system" in asked:
        turns.append({"role": "system", "content": problems.texts(asked.pop("system"), "system")})
    for where, message in problems.turns(asked.pop("messages", [])):
        turns += _turns(message, where, problems)
    said["messages"] = turns
    if "stop_sequences" in asked:
        said["stop"] = asked.pop("stop_sequences")
    if "tools" in asked:
        said["tools"] = [_tool(tool, where, problems) for where, tool in problems.objects(asked.pop("tools"), "tools")]
    if "tool_choice" in asked:
        said |= _choice(asked.pop("tool_choice"), problems)
    for field in asked:
        problems.at(field)
    problems.raise_any()
    return said


def _turns(message: dict[str, Any], where: str, problems: Problems) -> list[dict[str, Any]]:
    problems.beside(message, {"role", "content"}, where)
    role, content, place = message.get("role"), message.get("content"), f"{where}.content"
    match role:
        case "system":
            return [{"role": role, "content": problems.texts(content, place)}]
        case "user" | "assistant" if isinstance(content, str):
            return [{"role": role, "content": content}]
        case "user":
            return _user(list(problems.objects(content, place)), problems)
        case "assistant":
            return [_assistant(list(problems.objects(content, place)), problems)]
        case _:
            problems.at(f"{where}.role")
            return []


def _user(blocks: list[Block], problems: Problems) -> list[dict[str, Any]]:
    """There, a tool's result is a turn of its own, before what the user says to it."""
    results: list[dict[str, Any]] = []
    parts: list[dict[str, Any]] = []
    for where, block in blocks:
        if block.get("type") != "tool_result":
            parts.append(_part(block, where, problems))
            continue
        if parts:
            problems.at(where)
        if block.get("is_error"):
            problems.at(f"{where}.is_error")
        problems.beside(block, {"type", "tool_use_id", "content", "is_error"}, where)
        content = problems.texts(block.get("content") or "", f"{where}.content")
        results.append({"role": "tool", "tool_call_id": block.get("tool_use_id"), "content": content})
    return [*results, {"role": "user", "content": parts}] if parts or not results else results


def _part(block: dict[str, Any], where: str, problems: Problems) -> dict[str, Any]:
    if block.get("type") != "image":
        return problems.text(block, where)
    problems.beside(block, {"type", "source"}, where)
    url, is_sound = "", False
    match block.get("source"):
        case {"type": "base64", "media_type": str(media_type), "data": str(data)}:
            url = f"data:{media_type};base64,{data}"
            is_sound = INLINE_IMAGE.fullmatch(url) is not None
        case {"type": "url", "url": str(url)}:
            is_sound = not url.startswith("data:")
    if not is_sound:
        problems.at(f"{where}.source")
    return {"type": "image_url", "image_url": {"url": url}}


def _assistant(blocks: list[Block], problems: Problems) -> dict[str, Any]:
    """There, what is said comes before the calls, and beside them as one text where it is one."""
    texts: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    for where, block in blocks:
        if block.get("type") == "tool_use":
            calls.append(_call(block, where, problems))
            continue
        texts.append(problems.text(block, where))
        if calls:
            problems.at(where)
    if not calls:
        return {"role": "assistant", "content": texts}
    said: dict[str, Any] = {"role": "assistant", "tool_calls": calls}
    if texts:
        said["content"] = texts[0]["text"] if len(texts) == 1 else texts
    return said


def _call(block: dict[str, Any], where: str, problems: Problems) -> dict[str, Any]:
    problems.beside(block, {"type", "id", "name", "input"}, where)
    if not isinstance(block.get("input"), dict):
        problems.at(f"{where}.input")
    function = {"name": block.get("name"), "arguments": orjson.dumps(block.get("input")).decode()}
    return {"id": block.get("id"), "type": "function", "function": function}


def _tool(tool: dict[str, Any], where: str, problems: Problems) -> dict[str, Any]:
    if tool.get("type") not in (None, "custom"):  # it runs at the provider
        problems.at(where)
        return {}
    problems.beside(tool, {"type", "name", "description", "input_schema", "strict"}, where)
    names = {"name": "name", "description": "description", "input_schema": "parameters", "strict": "strict"}
    return {"type": "function", "function": {names[name]: tool[name] for name in names if tool.get(name) is not None}}


def _choice(choice: object, problems: Problems) -> dict[str, Any]:
    if not isinstance(choice, dict):
        problems.at("tool_choice")
        return {}
    alone = {"parallel_tool_calls": False} if choice.get("disable_parallel_tool_use") else {}
    problems.beside(choice, {"type", "name", "disable_parallel_tool_use"}, "tool_choice")
    match choice.get("type"):
        case "tool":
            return {"tool_choice": {"type": "function", "function": {"name": choice.get("name")}}} | alone
        case "auto" | "any" | "none" as kind:
            return {"tool_choice": _CHOICES[kind]} | alone
        case _:
            problems.at("tool_choice")
            return {}
