"""The tool calls of a chat completion, put together from their pieces. Pure.

Servers differ in how a piece says where it belongs, so that is decided here and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from batchrun.stream.sse import ProtocolError


@dataclass(slots=True)
class _Call:
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)

    def block(self) -> dict[str, Any]:
        block: dict[str, Any] = {"type": "tool_use", "id": self.id, "name": self.name, "input": {}}
        text = "".join(self.arguments)
        try:
            told = orjson.loads(text or "{}")
        except orjson.JSONDecodeError:
            told = None
        return block | ({"input": told} if isinstance(told, dict) else {"partial_json": text})


class ToolCalls:
    """The calls in the order in which they began."""

    __slots__ = ("_at_index", "_calls")

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._at_index: dict[int, _Call] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def __repr__(self) -> str:
        return f"<ToolCalls {[call.name for call in self._calls]}>"

    def add(self, piece: object) -> int:
        """Take one entry of `tool_calls`; the number of characters by which the arguments grew.

        Raises:
            ProtocolError: its parts are of kinds that no server sends.
        """
        if not isinstance(piece, dict):
            raise ProtocolError("a tool call that is no object")
        function = piece.get("function") or piece.get("custom") or {}
        if not isinstance(function, dict):
            raise ProtocolError("a tool call whose function is no object")
        call = self._call_of(piece.get("index"), _word(piece.get("id")), _word(function.get("name")))
        arguments = function.get("arguments") or function.get("input") or ""
        if isinstance(arguments, dict):  # already parsed, as Ollama's own API has it
            arguments = orjson.dumps(arguments).decode()
        if not isinstance(arguments, str):
            raise ProtocolError("a tool call whose arguments are no text")
        call.arguments.append(arguments)
        return len(arguments)

    def blocks(self) -> list[dict[str, Any]]:
        """A tool_use block each; one whose arguments are no JSON object keeps their text as `partial_json`.

        Raises:
            ProtocolError: a call that no piece has named.
        """
        if not all(call.name for call in self._calls):
            raise ProtocolError("a tool call without a name")
        return [call.block() for call in self._calls]

    def _call_of(self, index: object, id: str, name: str) -> _Call:
        """The call to which a piece belongs; a new one where it begins one.

        By the index, if there is one (Ollama and Gemini have left it out), else the last one. But a name with another
        id begins another call, for some servers give every call the index 0; an id alone does not, for others make up
        a new one for each piece.
        """
        call = self._at_index.get(index) if isinstance(index, int) else next(reversed(self._calls), None)
        is_other = call is not None and id != call.id if id else index is None
        if call is None or (name and is_other):
            call = _Call(id, name)
            self._calls.append(call)
            if isinstance(index, int):
                self._at_index[index] = call
        call.id = call.id or id
        if name != call.name:
            call.name += name
        return call


def _word(value: object) -> str:
    return value if isinstance(value, str) else ""
