"""Which fold reads which wire."""

from __future__ import annotations

import orjson
import pytest

from batchrun.providers.provider import Wire
from batchrun.stream.folds import DOCUMENTS, FOLDS, Fold
from batchrun.stream.message import Message, Truncated
from batchrun.stream.sse import ProtocolError
from tests.stream import chunks, events

STREAMS = {
    Wire.MESSAGES: [orjson.dumps(event) for event in events.answer("Hel", "lo")],
    Wire.CHAT: [chunks.data_of(event) for event in chunks.answer("Hel", "lo")],
}
BODIES = {Wire.MESSAGES: events.document("Hel", "lo"), Wire.CHAT: chunks.completion("Hel", "lo")}


def folded(wire: Wire, stream: list[bytes]) -> Message:
    fold = FOLDS[wire]()
    for data in stream:
        fold.feed(data)
    return fold.message()


@pytest.mark.parametrize("wire", Wire)
def test_each_wire_has_a_fold_and_a_reader_of_documents(wire: Wire) -> None:
    """Both tables are whole, and what they name gives the same message."""
    fold: Fold = FOLDS[wire]()
    texts = []
    for data in STREAMS[wire]:
        fold.feed(data)
        texts.append(fold.last_text)
    assert fold.is_complete
    assert fold.received_tokens == 2
    streamed, read = fold.message(), DOCUMENTS[wire](BODIES[wire])
    assert "".join(texts) == streamed.text == read.text == "Hello"
    assert streamed.content == read.content
    assert (streamed.stop_reason, streamed.output_tokens, streamed.flags) == ("end_turn", 2, ())


@pytest.mark.parametrize("wire", Wire)
def test_each_attempt_begins_with_a_fold_of_its_own(wire: Wire) -> None:
    """One that was fed nothing holds nothing of the last one's."""
    used = FOLDS[wire]()
    for data in STREAMS[wire]:
        used.feed(data)
    fresh = FOLDS[wire]()
    assert (fresh.is_complete, fresh.received_tokens) == (False, 0)
    with pytest.raises(Truncated):
        fresh.message()


@pytest.mark.parametrize("wire", Wire)
def test_an_answer_of_the_other_wire_is_none(wire: Wire) -> None:
    """A base URL of the wrong kind is no answer in disguise."""
    [other] = set(Wire) - {wire}
    with pytest.raises(ProtocolError):
        DOCUMENTS[wire](BODIES[other])
    with pytest.raises((ProtocolError, Truncated)):
        folded(wire, STREAMS[other])
