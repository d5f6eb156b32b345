"""What a chat completions request asks for, said as the Messages request that asks for the same. Pure.

So both wires give the same answer to the same question, and prompts, directives and hashes are read in one place. What
has no counterpart is kept as it stands: it counts towards the hash and changes nothing else.
"""

from __future__ import annotations

from typing import Any

# The answer has no bound where the request names none; this one is larger than any answer that is not asked for.
DEFAULT_MAX_TOKENS = 16_384

_SYSTEM_ROLES = ("system", "developer")
_TOOL_CHOICES = {"auto": "auto", "none": "none", "required": "any"}
_TRANSLATED = ("messages", "max_tokens", "max_completion_tokens", "stop", "tools", "tool_choice", "reasoning_effort")
# How an answer travels is no part of what is asked; the others mean something on the other wire alone.
_IGNORED = ("stream_options", "stop_sequences", "system")


def messages_request(body: dict[str, Any]) -> dict[str, Any]:
    """The Messages request for a body that `check_chat` has passed."""
    elsewhere = (*_TRANSLATED, *_IGNORED)
    asked = {name: value for name, value in body.items() if name not in elsewhere and value is not None}
    system, turns = _split(body["messages"])
    asked["messages"] = [_turn(message) for message in turns]
    asked["max_tokens"] = body.get("max_completion_tokens") or body.get("max_tokens") or DEFAULT_MAX_TOKENS
    if system is not None:
        asked["system"] = system
    if stop := body.get("stop"):
        asked["stop_sequences"] = [stop] if isinstance(stop, str) else stop
    if tools := body.get("tools"):
        asked["tools"] = [_tool(tool["function"]) for tool in tools]
    if choice := body.get("tool_choice"):
        asked["tool_choice"] = _tool_choice(choice)
    if body.get("reasoning_effort") not in (None, "none"):
        asked["thinking"] = {"type": "adaptive"}
    return asked


def _split(messages: list[dict[str, Any]]) -> tuple[Any, list[dict[str, Any]]]:
    """The system prompt, None where there is none, and the messages after it."""
    count = next((at for at, message in enumerate(messages) if message["role"] not in _SYSTEM_ROLES), len(messages))
    prompts = [message.get("content") for message in messages[:count]]
    if len(prompts) < 2:
        return (prompts[0] if prompts else None), messages[count:]
    blocks: list[Any] = []
    for prompt in prompts:
        blocks += [{"type": "text", "text": prompt}] if isinstance(prompt, str) else prompt or []
    return blocks, messages[count:]


def _turn(message: dict[str, Any]) -> dict[str, Any]:
    content = message.get("content")
    if isinstance(content, list):
        content = [_part(part) for part in content]
    return {**message, "content": content}


def _part(part: Any) -> Any:
    if not (isinstance(part, dict) and part.get("type") == "image_url" and isinstance(part.get("image_url"), dict)):
        return part
    url = str(part["image_url"].get("url"))
    if not url.startswith("data:"):
        return {"type": "image", "source": {"type": "url", "url": url}}
    media_type, _, data = url.removeprefix("data:").partition(";base64,")
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}


def _tool(function: dict[str, Any]) -> dict[str, Any]:
    tool = {name: value for name, value in function.items() if name != "parameters"}
    return tool | {"input_schema": function.get("parameters") or {"type": "object"}}


def _tool_choice(choice: Any) -> dict[str, Any]:
    if isinstance(choice, dict):
        return {"type": "tool", "name": choice["function"]["name"]}
    return {"type": _TOOL_CHOICES[choice]}
