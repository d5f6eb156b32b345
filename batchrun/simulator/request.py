"""What a request body says: its hash, its prompt, its size in tokens. Pure; nothing here knows of answers or faults."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import orjson

# 64 bits: a million different requests share a hash with a chance of 3 in 100 million.
HASH_BYTES = 8

SERVER_TOOL = "server_tool_use"

# A rule of thumb for English text; the simulator needs a plausible figure, not a tokenizer.
BYTES_PER_TOKEN = 4


def request_hash(body: dict[str, Any]) -> str:
    """16 hex digits for all that decides the answer: every field but `stream`, whatever the order of the keys."""
    asked = {name: value for name, value in body.items() if name != "stream"}
    canonical = orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)
    return blake2b(canonical, digest_size=HASH_BYTES).hexdigest()


def prompt_of(body: dict[str, Any]) -> str:
    """The text of the last user message; empty where it has none (an image alone, say)."""
    for message in reversed(body.get("messages") or ()):
        if message.get("role") == "user":
            return _text_of(message.get("content"))
    return ""


def turns_given(body: dict[str, Any]) -> int:
    """How many parts of the answer to the last user message the request holds already: each of them ends in a tool of
    the provider's own, and is sent back as it came."""
    turns = 0
    for message in reversed(body.get("messages") or ()):
        if message.get("role") == "user":
            break
        turns += server_tools_in(message)
    return turns


def server_tools_in(message: dict[str, Any]) -> int:
    """How many calls of the provider's own tools a message holds."""
    content = message.get("content")
    blocks = content if isinstance(content, list) else []
    return sum(isinstance(block, dict) and block.get("type") == SERVER_TOOL for block in blocks)


def input_tokens(body: dict[str, Any]) -> int:
    """What the messages and tools would count as, without the system prompt."""
    asked = orjson.dumps([body.get("messages"), body.get("tools")])
    return max(1, len(asked) // BYTES_PER_TOKEN)


def system_tokens(body: dict[str, Any]) -> int:
    """What the system prompt would count as."""
    system = body.get("system")
    return max(1, len(orjson.dumps(system)) // BYTES_PER_TOKEN) if system else 0


def has_cached_system(body: dict[str, Any]) -> bool:
    """Whether a block of the system prompt asks to be cached."""
    system = body.get("system")
    return isinstance(system, list) and any(isinstance(block, dict) and block.get("cache_control") for block in system)


def _text_of(content: object) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = (block.get("text") for block in content if isinstance(block, dict) and block.get("type") == "text")
    return "\n".join(text for text in texts if isinstance(text, str))
