"""Messages API events folded into the message. Pure: event data in, a frozen `Message` out.

Strict where leniency could pass off a broken answer as a whole one (order, indices, a missing stop reason), lenient
where the API reserves the right to grow (unknown events, deltas, blocks and stop reasons are kept or counted, never
an error).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import orjson

from batchrun.failure import Cause
from batchrun.providers.failures import cause_of_error_type
from batchrun.stream.pieces import Pieces
from batchrun.stream.sse import ProtocolError, ServerSentEvent
from batchrun.stream.text_runs import GROWTH, pieces_in, pieces_of_block
from batchrun.stream.usage import told_tokens

CHARACTERS_A_TOKEN = 4  # the provider's own rule of thumb for English; used only where it never told the number
USAGE_ESTIMATED = "usage_estimated"  # the flag that says so
REFUSAL = "refusal"  # the stop reason of an answer that is none
# A cut-off answer may end inside a tool's input; with any other stop reason that is a broken stream.
CUT_OFF = frozenset({"max_tokens", "model_context_window_exceeded"})
# What gateways write into a stream to keep it alive or to end it as they know it, and the flag that counts it.
REMARKS = {b"": "empty_event", b"[DONE]": "done_marker"}
LONGEST_REMARK = 16  # with white space around it; longer data is not looked through, for there is much of it


class Kind(Enum):
    """What an event means for the clocks and the meter."""

    PING = "ping"  # proves that the peer lives, and no more
    META = "meta"
    CONTENT = "content"  # text, thinking, tool input: the answer grows
    STOP_REASON = "stop reason"  # the answer is complete; what follows is ceremony


class MalformedData(ProtocolError):
    """The data of an event, or a document, are no JSON."""


class StreamError(Exception):
    """An error inside an answer that began with status 200."""

    def __init__(self, error_type: str, message: str, cause: Cause) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.cause = cause


class Truncated(Exception):
    """The body ended cleanly but the answer did not: no stop reason was seen."""


@dataclass(frozen=True, slots=True)
class Message:
    """An answer. `content` holds blocks as the Messages API gives them; `text` is that of all text blocks, in order.

    `output_tokens` are the provider's number; where a flag says `usage_estimated`, ours.
    """

    id: str
    model: str
    text: str
    content: list[dict[str, Any]]
    stop_reason: str
    usage: dict[str, Any]
    output_tokens: int
    flags: tuple[str, ...] = ()


@dataclass(slots=True)
class _Block:
    """One content block as it grows; pieces are joined once, at its end."""

    fields: dict[str, Any]
    pieces: dict[str, Pieces] = field(default_factory=dict)
    citations: list[Any] = field(default_factory=list)
    is_open: bool = True

    def add(self, name: str, piece: str) -> None:
        self.extend(name, (piece,))

    def extend(self, name: str, pieces: Sequence[str]) -> None:
        grown = self.pieces.get(name)
        if grown is None:
            begun = self.fields.get(name)
            grown = self.pieces[name] = Pieces(begun if isinstance(begun, str) else "")
        grown.extend(pieces)

    def finished(self) -> dict[str, Any]:
        block = dict(self.fields)
        block.update({name: pieces.text() for name, pieces in self.pieces.items()})
        if self.citations:
            begun = block.get("citations")
            block["citations"] = [*(begun if isinstance(begun, list) else []), *self.citations]
        if "partial_json" in block:
            _parse_tool_input(block)
        return block


class MessageFold:
    """Feed it the data of each event in order; take the message at the end of the body."""

    __slots__ = ("_blocks", "_flags", "_head", "_stop_reason", "_stopped", "_usage", "content_characters", "last_text")

    def __init__(self) -> None:
        self._head: dict[str, Any] = {}
        self._blocks: list[_Block] = []
        self._usage: dict[str, Any] = {}
        self._stop_reason: str | None = None
        self._stopped = False
        self._flags: dict[str, int] = {}
        self.content_characters = 0
        self.last_text = ""  # the text of the last event, "" where it brought none

    def __repr__(self) -> str:
        return f"<MessageFold {len(self._blocks)} blocks, {self.content_characters} characters, {self._stop_reason}>"

    @property
    def is_complete(self) -> bool:
        """Whether the stop reason has come: the answer is whole, whatever becomes of the rest of the stream."""
        return self._stop_reason is not None

    @property
    def received_tokens(self) -> int:
        """Output tokens so far: the provider's number where it has told one, else an estimate by length."""
        estimate = -(-self.content_characters // CHARACTERS_A_TOKEN)
        return max(told_tokens(self._usage, "output_tokens"), estimate)

    def feed(self, data: bytes) -> Kind:
        """Take one event.

        Raises:
            ProtocolError: not JSON, or an order that no sound stream has.
            StreamError: the provider gave up inside the stream.
        """
        self.last_text = ""
        if len(data) <= LONGEST_REMARK and (remark := REMARKS.get(data.strip())) is not None:
            self._flag(remark)
            return Kind.PING
        return self._take(json_object(data))

    def feed_run(self, events: Sequence[ServerSentEvent], place: int) -> list[str]:
        """Take the plain pieces that stand next, and give the text of each, which is "" for one of thinking or of a
        tool's input; an event that is anything else is to be fed."""
        if (growth := self._growth()) is None:
            return []
        return self._extend(growth[1], pieces_of_block(events, place, len(self._blocks) - 1, growth))

    def feed_plain(self, data: bytes) -> tuple[list[str], int]:
        """Take the plain pieces at the head of bytes that begin with an event; gives also how many bytes they took."""
        if (growth := self._growth()) is None:
            return [], 0
        pieces, taken = pieces_in(data, len(self._blocks) - 1, growth)
        return self._extend(growth[1], pieces), taken

    def message(self) -> Message:
        """The whole answer.

        Raises:
            Truncated: the stream ended without a stop reason.
            ProtocolError: a tool's input is no JSON although the model says that it finished it.
        """
        if self._stop_reason is None:
            raise Truncated("the stream ended without a stop reason")
        if not self._stopped:
            self._flag("no_message_stop")
        content = [block.finished() for block in self._blocks]
        if self._stop_reason not in CUT_OFF and any("partial_json" in block for block in content):
            raise ProtocolError("the input of a tool is not JSON")
        return message_of(self._head, content, self._stop_reason, self._usage, tuple(sorted(self._flags)))

    def cut(self, stop_reason: str, characters: int) -> Message:
        """The answer so far, its text cut after so many characters: ended by us, with a stop reason of ours unless it
        is known to be a refusal."""
        if not self.is_complete:
            # The provider's final usage never comes.
            self._flag(USAGE_ESTIMATED)
            self._usage["output_tokens"] = self.received_tokens
        content = cut_content([block.finished() for block in self._blocks], characters)
        reason = REFUSAL if self._stop_reason == REFUSAL else stop_reason
        return message_of(self._head, content, reason, self._usage, tuple(sorted(self._flags)))

    def _take(self, event: dict[str, Any]) -> Kind:
        match event.get("type"):
            case "content_block_delta":
                return self._delta(event)
            case "ping":
                return Kind.PING
            case "content_block_start":
                return self._block_start(event)
            case "content_block_stop":
                self._open_block(event).is_open = False
                return Kind.META
            case "message_start":
                return self._start(event)
            case "message_delta":
                return self._message_delta(event)
            case "message_stop":
                self._stopped = True
                return Kind.META
            case "error":
                raise _stream_error(event)
            case _:
                self._flag("unknown_event")
                return Kind.META

    def _growth(self) -> tuple[str, str] | None:
        """How the last block grows; None where there is none that may."""
        if self._stop_reason is not None or self._stopped or not self._blocks or not self._blocks[-1].is_open:
            return None
        return GROWTH.get(self._blocks[-1].fields.get("type", ""))

    def _extend(self, name: str, pieces: list[str]) -> list[str]:
        if not pieces:
            return []
        self._blocks[-1].extend(name, pieces)
        self.content_characters += sum(map(len, pieces))
        self.last_text = pieces[-1] if name == "text" else ""
        return pieces if name == "text" else [""] * len(pieces)

    def _flag(self, name: str) -> None:
        self._flags[name] = self._flags.get(name, 0) + 1

    def _start(self, event: dict[str, Any]) -> Kind:
        head = _mapping(event, "message")
        if self._head:
            # Some gateways send it twice. The same one, before anything else, changes nothing.
            if head.get("id") != self._head.get("id") or self._blocks or self._stop_reason is not None:
                raise ProtocolError("a second message_start")
            self._flag("duplicate_message_start")
            return Kind.META
        self._head = head
        self._merge_usage(head.get("usage"))
        return Kind.META

    def _block_start(self, event: dict[str, Any]) -> Kind:
        self._require_running()
        if event.get("index") != len(self._blocks):
            raise ProtocolError(f"content block {event.get('index')!r} begins after {len(self._blocks)} blocks")
        fields = _mapping(event, "content_block")
        self._blocks.append(_Block(fields))
        text = fields.get("text")
        if not isinstance(text, str) or not text:
            return Kind.META
        self.content_characters += len(text)
        self.last_text = text
        return Kind.CONTENT

    def _delta(self, event: dict[str, Any]) -> Kind:
        self._require_running()
        block = self._open_block(event)
        delta = _mapping(event, "delta")
        try:
            match delta.get("type"):
                case "text_delta":
                    self.last_text = delta["text"]
                    self._piece(block, "text", self.last_text)
                case "input_json_delta":
                    self._piece(block, "partial_json", delta["partial_json"])
                case "thinking_delta":
                    self._piece(block, "thinking", delta["thinking"])
                case "signature_delta":
                    block.fields["signature"] = delta["signature"]
                case "citations_delta":
                    block.citations.append(delta["citation"])
                case _:
                    self._flag("unknown_delta")
                    return Kind.META
        except KeyError as exc:
            raise ProtocolError(f"a {delta.get('type')} without its {exc.args[0]}") from exc
        return Kind.CONTENT

    def _piece(self, block: _Block, name: str, piece: object) -> None:
        if not isinstance(piece, str):
            raise ProtocolError(f"a delta whose {name} is no text")
        block.add(name, piece)
        self.content_characters += len(piece)

    def _message_delta(self, event: dict[str, Any]) -> Kind:
        if not self._head:
            raise ProtocolError("message_delta before message_start")
        self._merge_usage(event.get("usage"))
        delta = _mapping(event, "delta")
        if delta.get("stop_reason") is None:
            return Kind.META
        self._stop_reason = str(delta["stop_reason"])
        self._head.update({name: value for name, value in delta.items() if value is not None})
        return Kind.STOP_REASON

    def _open_block(self, event: dict[str, Any]) -> _Block:
        index = event.get("index")
        if not isinstance(index, int) or not 0 <= index < len(self._blocks) or not self._blocks[index].is_open:
            raise ProtocolError(f"{event['type']} for index {index!r}, which is not open")
        return self._blocks[index]

    def _require_running(self) -> None:
        if not self._head:
            raise ProtocolError("content before message_start")
        if self._stopped:
            raise ProtocolError("content after message_stop")

    def _merge_usage(self, usage: object) -> None:
        # The counts of message_delta are totals so far, so they replace; those it leaves out stay as they began.
        if isinstance(usage, dict):
            self._usage.update({name: count for name, count in usage.items() if count is not None})


def message_from_body(body: bytes) -> Message:
    """The answer to a request that did not ask for a stream.

    Raises:
        ProtocolError: not a message. Truncated: a message without a stop reason. StreamError: an error object.
    """
    fields = json_object(body)
    if fields.get("type") == "error":
        raise _stream_error(fields)
    content = fields.get("content")
    if fields.get("type") != "message" or not isinstance(content, list):
        raise ProtocolError("the body is JSON but no message")
    if not all(isinstance(block, dict) for block in content):
        raise ProtocolError("a message with a block that is no object")
    if fields.get("stop_reason") is None:
        raise Truncated("the message has no stop reason")
    usage = fields.get("usage")
    return message_of(fields, content, str(fields["stop_reason"]), usage if isinstance(usage, dict) else {}, ())


def message_of(
    head: dict[str, Any], content: list[dict[str, Any]], stop_reason: str, usage: dict[str, Any], flags: tuple[str, ...]
) -> Message:
    """The message that has these parts, on whichever wire they came; `head` holds its id and its model."""
    texts = (block.get("text") for block in content if block.get("type") == "text")
    text = "".join(piece for piece in texts if isinstance(piece, str))
    if not content and stop_reason == "end_turn":
        flags = (*flags, "empty_answer")
    model = str(head.get("model") or "")
    tokens = told_tokens(usage, "output_tokens")
    return Message(str(head.get("id") or ""), model, text, content, stop_reason, usage, tokens, flags)


def cut_content(content: list[dict[str, Any]], characters: int) -> list[dict[str, Any]]:
    """The blocks up to so many characters of their text; a tool's input that is not whole is left out."""
    kept = []
    for block in content:
        if "partial_json" in block:
            continue
        text = block.get("text") if block.get("type") == "text" else None
        kept.append(block | {"text": text[:characters]} if isinstance(text, str) else block)
        characters -= len(text) if isinstance(text, str) else 0
        if characters <= 0:
            break
    return kept


def json_object(data: bytes) -> dict[str, Any]:
    """What an event or a body holds.

    Raises:
        MalformedData: no JSON. ProtocolError: no JSON object.
    """
    try:
        event = orjson.loads(data)
    except orjson.JSONDecodeError as exc:
        raise MalformedData(f"malformed JSON in the stream ({exc.msg})") from exc
    if not isinstance(event, dict):
        raise ProtocolError("an event whose data is no JSON object")
    return event


def _mapping(event: dict[str, Any], name: str) -> dict[str, Any]:
    value = event.get(name)
    if not isinstance(value, dict):
        raise ProtocolError(f"{event.get('type')} without its {name}")
    return value


def _stream_error(event: dict[str, Any]) -> StreamError:
    error = event.get("error")
    error = error if isinstance(error, dict) else {}
    details = error.get("details")
    code = details.get("error_code") if isinstance(details, dict) else None
    error_type = str(error.get("type") or "api_error")
    message = str(error.get("message") or "an error without a message")
    return StreamError(error_type, message, cause_of_error_type(error_type, code if isinstance(code, str) else None))


def _parse_tool_input(block: dict[str, Any]) -> None:
    """Put the parsed input in the place of its JSON text; leave the text where it is none."""
    try:
        block["input"] = orjson.loads(block["partial_json"] or "{}")
    except orjson.JSONDecodeError:
        return
    del block["partial_json"]
