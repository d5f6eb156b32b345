"""Which fold reads which wire, as tables. Pure: a new wire is a row here and a fold beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from batchrun.providers.provider import Wire
from batchrun.stream.chat import ChatFold, message_from_completion
from batchrun.stream.message import Kind, Message, MessageFold, message_from_body
from batchrun.stream.sse import ServerSentEvent


class Fold(Protocol):
    """The events of one stream on their way to a message."""

    last_text: str  # the text of the last event, "" where it brought none
    content_characters: int  # of all that came: text, thinking, tool input

    @property
    def is_complete(self) -> bool:
        """Whether the answer is whole, whatever becomes of the rest of the stream."""

    @property
    def received_tokens(self) -> int:
        """Output tokens so far, told or estimated."""

    def feed(self, data: bytes) -> Kind:
        """Take the data of one event.

        Raises:
            ProtocolError, StreamError: it is no answer, or the provider gave up.
        """

    def feed_run(self, events: Sequence[ServerSentEvent], place: int) -> list[str]:
        """Take the plain pieces that stand at `place` and behind it, and give the text of each, "" for one that is no
        text. What cannot be taken so is to be fed."""

    def feed_plain(self, data: bytes) -> tuple[list[str], int]:
        """The same out of the bytes of a stream, which begin with an event: the pieces at their head, where they are
        written as the wire writes most of them. Gives also how many bytes they took; the rest is to be decoded."""

    def cut(self, stop_reason: str, characters: int) -> Message:
        """The answer so far, its text cut after so many characters: ended by us, with a stop reason of ours unless it
        is known to be a refusal."""

    def message(self) -> Message:
        """The answer, once the stream has ended.

        Raises:
            Truncated, ProtocolError: there is none.
        """


FOLDS: dict[Wire, Callable[[], Fold]] = {Wire.MESSAGES: MessageFold, Wire.CHAT: ChatFold}

# What reads an answer that comes as one document; it raises what a fold raises.
DOCUMENTS: dict[Wire, Callable[[bytes], Message]] = {
    Wire.MESSAGES: message_from_body,
    Wire.CHAT: message_from_completion,
}
