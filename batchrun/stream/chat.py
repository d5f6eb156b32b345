"""Chat completions folded into the message. Pure: event data in, a frozen `Message` out, its blocks and words those of
the Messages API, so that nobody above asks on which wire an answer came.

Strict where leniency could pass off a broken answer as a whole one (an end that nothing announced, content that is no
text), lenient where servers are known to differ (where pieces of tool calls belong, what a chunk leaves out).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from batchrun.failure import Cause
from batchrun.providers.chat_errors import error_in
from batchrun.stream.chat_tools import ToolCalls
from batchrun.stream.chat_usage import usage_of
from batchrun.stream.message import (
    CHARACTERS_A_TOKEN,
    CUT_OFF,
    REFUSAL,
    USAGE_ESTIMATED,
    Kind,
    Message,
    StreamError,
    Truncated,
    cut_content,
    json_object,
    message_of,
)
from batchrun.stream.pieces import Pieces
from batchrun.stream.sse import ProtocolError, ServerSentEvent
from batchrun.stream.text_runs import texts_of_choice
from batchrun.stream.usage import told_tokens

DONE = b"[DONE]"

# An open set: what has no row here is handed on as it came.
STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": REFUSAL,
    "model_length": "model_context_window_exceeded",  # Mistral
}
# With these words a server says that it broke the answer off; to hand them on would pass off a piece as the whole.
BROKEN_OFF = {
    "error": Cause.SERVER_ERROR,  # Mistral, OpenRouter
    "abort": Cause.SERVER_ERROR,  # vLLM, SGLang
    "insufficient_system_resource": Cause.OVERLOADED,  # DeepSeek
}
CONTENT_AFTER_FINISH = "content_after_finish"


class ChatFold:
    """Feed it the data of each event in order; take the message at the end of the body.

    Either a finish_reason or `[DONE]` makes the answer whole. Some servers say `stop` in every chunk: where content has
    followed one, only `[DONE]` counts.
    """

    __slots__ = (
        "_calls",
        "_finish_reason",
        "_flags",
        "_has_begun",
        "_head",
        "_is_done",
        "_is_refused",
        "_is_told",
        "_text",
        "_thinking",
        "_usage",
        "content_characters",
        "last_text",
    )

    def __init__(self) -> None:
        self._head: dict[str, Any] = {}
        self._text = Pieces()
        self._thinking = Pieces()
        self._calls = ToolCalls()
        self._usage: dict[str, Any] = {}
        self._finish_reason: str | None = None
        self._has_begun = False
        self._is_done = False
        self._is_refused = False
        self._is_told = False  # whether the end has been told to whoever paces the reads
        self._flags: set[str] = set()
        self.content_characters = 0
        self.last_text = ""  # the text of the last event, "" where it brought none

    def __repr__(self) -> str:
        return f"<ChatFold {self.content_characters} characters, {self._finish_reason}, done={self._is_done}>"

    @property
    def is_complete(self) -> bool:
        """Whether the answer is whole, whatever becomes of the rest of the stream."""
        has_finished = self._finish_reason is not None and CONTENT_AFTER_FINISH not in self._flags
        return self._has_begun and (self._is_done or has_finished)

    @property
    def received_tokens(self) -> int:
        """Output tokens so far: the provider's number where it has told one, else an estimate by length."""
        return max(told_tokens(self._usage, "output_tokens"), self._estimate())

    def feed(self, data: bytes) -> Kind:
        """Take one event.

        Raises:
            ProtocolError: not JSON, or content that no sound stream has.
            StreamError: the provider gave up inside the stream.
        """
        self.last_text = ""
        data = data.strip()
        if not data:
            return Kind.PING
        grown = self.content_characters
        is_news = True
        if data == DONE:
            self._is_done = True
        else:
            is_news = self._take(json_object(data))
        if self.content_characters > grown:
            return Kind.CONTENT
        if self.is_complete and not self._is_told:
            self._is_told = True
            return Kind.STOP_REASON
        return Kind.META if is_news else Kind.PING

    def feed_plain(self, data: bytes) -> tuple[list[str], int]:
        """Nothing: what stands round a piece is each server's own."""
        return [], 0

    def feed_run(self, events: Sequence[ServerSentEvent], place: int) -> list[str]:
        """Take the plain pieces of text that stand next, and give them; an event that is anything else is to be fed."""
        if not self._has_begun or not self._head.get("model") or self._finish_reason is not None or self._is_done:
            return []
        texts = texts_of_choice(events, place)
        if texts:
            self._text.extend(texts)
            self.content_characters += sum(map(len, texts))
            self.last_text = texts[-1]
        return texts

    def message(self) -> Message:
        """The whole answer.

        Raises:
            Truncated: the stream ended with neither a finish_reason nor `[DONE]`, or before it began.
            ProtocolError: a tool call that nothing names.
        """
        if not self.is_complete:
            raise Truncated("the stream ended without [DONE], and without a finish_reason that could be the last")
        if not self._is_done:
            self._flags.add("no_done")
        if self._finish_reason is None:
            self._flags.add("no_finish_reason")
        stop_reason = self._stop_reason()
        content = self._content(stop_reason)
        if not told_tokens(self._usage, "output_tokens") and (
            self.content_characters or "output_tokens" not in self._usage
        ):
            self._flags.add(USAGE_ESTIMATED)
            self._usage["output_tokens"] = self._estimate()
        return message_of(self._head, content, stop_reason, self._usage, tuple(sorted(self._flags)))

    def cut(self, stop_reason: str, characters: int) -> Message:
        """The answer so far, its text cut after so many characters: ended by us, with a stop reason of ours unless it
        is known to be a refusal."""
        if not self.is_complete or not told_tokens(self._usage, "output_tokens"):
            self._flags.add(USAGE_ESTIMATED)
            self._usage = self._usage | {"output_tokens": self.received_tokens}
        # A tool that the model calls beside its text is never whole where the text is cut.
        content = cut_content(self._thoughts_and_text(), characters)
        reason = REFUSAL if self._stop_reason() == REFUSAL else stop_reason
        return message_of(self._head, content, reason, self._usage, tuple(sorted(self._flags)))

    def whole(self, body: bytes) -> Message:
        """The answer that comes as one document, to a fold that was fed nothing.

        Raises:
            ProtocolError: no chat completion. Truncated: one without a finish_reason. StreamError: an error object.
        """
        self._take(json_object(body))
        if not self._has_begun:
            raise ProtocolError("the body is JSON but no chat completion")
        if self._finish_reason is None:
            raise Truncated("the completion has no finish_reason")
        self._is_done = True
        return self.message()

    def _take(self, chunk: dict[str, Any]) -> bool:
        """Take one chunk; whether it brought more than a sign of life."""
        if error := error_in(chunk):
            raise StreamError(error.type or error.code or "api_error", error.message, error.cause())
        is_news = not self._head
        if not self._head.get("model"):  # Azure leaves it and the id empty in its first chunk
            self._head = {"id": self._head.get("id") or chunk.get("id"), "model": chunk.get("model")}
        usage = chunk.get("usage")
        if usage:
            is_news |= self._told(usage_of(usage))
        choices = chunk.get("choices")
        if choices is None and not usage:
            self._flags.add("unknown_event")
        for choice in _list(choices, "choices"):
            is_news |= self._choice(choice)
        return is_news

    def _told(self, usage: dict[str, Any]) -> bool:
        """Take a usage; whether it is news."""
        if not usage or usage == self._usage:
            return False
        self._usage = usage  # totals so far: the last one holds
        return True

    def _choice(self, choice: object) -> bool:
        if not isinstance(choice, dict):
            raise ProtocolError("a choice that is no object")
        if choice.get("index"):
            self._flags.add("other_choices")
            return False
        self._has_begun = True
        # A document has its message where a stream has its deltas; some gateways stream a single whole document.
        delta = choice.get("delta") or choice.get("message") or {}
        if not isinstance(delta, dict):
            raise ProtocolError("a choice whose delta is no object")
        grown = self.content_characters
        self._delta(delta)
        has_grown = self.content_characters > grown
        if has_grown:
            self._require_running()
        reason = choice.get("finish_reason")
        if not reason:
            return has_grown or any(value for name, value in delta.items() if name != "role")
        if not isinstance(reason, str):
            raise ProtocolError("a finish_reason that is no text")
        if reason in BROKEN_OFF:
            raise StreamError(reason, f"the server broke the answer off: finish_reason {reason}", BROKEN_OFF[reason])
        self._finish_reason = reason
        return True

    def _delta(self, delta: dict[str, Any]) -> None:
        thinking = delta.get("reasoning_content") or delta.get("reasoning")
        if isinstance(thinking, str):
            self._think(thinking)
        if content := delta.get("content"):
            self._take_content(content)
        if refusal := delta.get("refusal"):
            self._is_refused = True
            self._write(refusal)
        for piece in _list(delta.get("tool_calls"), "tool_calls"):
            self.content_characters += self._calls.add(piece)
        if function := delta.get("function_call"):  # what tool_calls were before there could be several
            self.content_characters += self._calls.add({"index": 0, "function": function})

    def _take_content(self, content: object) -> None:
        if not isinstance(content, list):
            self._write(content)
            return
        for part in content:
            match part:
                case {"type": "text", "text": text}:
                    self._write(text)
                case {"type": "thinking", "thinking": [*thoughts]}:  # Mistral
                    for thought in thoughts:
                        self._think(thought.get("text") if isinstance(thought, dict) else thought)
                case _:
                    self._flags.add("unknown_content")

    def _write(self, text: object) -> None:
        if not isinstance(text, str):
            raise ProtocolError("content that is no text")
        self._text.add(text)
        self.last_text += text
        self.content_characters += len(text)

    def _think(self, text: object) -> None:
        if not isinstance(text, str):
            raise ProtocolError("reasoning that is no text")
        self._thinking.add(text)
        self.content_characters += len(text)

    def _require_running(self) -> None:
        if self._is_done:
            raise ProtocolError("content after [DONE]")
        if self._finish_reason is not None:
            self._flags.add(CONTENT_AFTER_FINISH)

    def _stop_reason(self) -> str:
        reason = STOP_REASONS.get(self._finish_reason or "stop", self._finish_reason or "")
        if self._is_refused:
            return REFUSAL
        # With a tool that the request forces, the finish_reason is stop.
        return "tool_use" if reason == "end_turn" and self._calls else reason

    def _content(self, stop_reason: str) -> list[dict[str, Any]]:
        """The blocks in the order of the Messages API; the chunks have none that would hold for a document too."""
        blocks = self._calls.blocks()
        # Unlike the Messages API, these do not promise that a model writes sound JSON: a broken input is its answer.
        if stop_reason not in CUT_OFF and any("partial_json" in block for block in blocks):
            self._flags.add("tool_input_not_json")
        return [*self._thoughts_and_text(), *blocks]

    def _thoughts_and_text(self) -> list[dict[str, Any]]:
        content: list[dict[str, Any]] = []
        if thinking := self._thinking.text():
            content.append({"type": "thinking", "thinking": thinking})
        if text := self._text.text():
            content.append({"type": "text", "text": text})
        return content

    def _estimate(self) -> int:
        return -(-self.content_characters // CHARACTERS_A_TOKEN)


def message_from_completion(body: bytes) -> Message:
    """The answer to a request that did not ask for a stream; raises what `ChatFold.whole` raises."""
    return ChatFold().whole(body)


def _list(value: object, name: str) -> list[Any]:
    """A list; null is an empty one."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise ProtocolError(f"{name} that are no list")
    return value
