"""An answer that no sink took is found again by the next run, and nothing else passes for one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from batchrun.item import kept_in
from batchrun.journal.kept import kept_answer
from batchrun.journal.writer import Journal
from batchrun.outcome import Outcome, Status
from tests.journal.builders import HEADER, damage, failure, outcome, state_in, text_of

SINK = {"cause": "sink", "message": "no disk", "status": None}


def undelivered(id: str, **changes: Any) -> Outcome:
    """Answered, paid, and taken by no sink."""
    return outcome(id, status=Status.FAILED, final=False, error=SINK, **changes)


async def committed(directory: Path, *outcomes: Outcome) -> None:
    with Journal.open(state_in(directory), HEADER) as journal:
        for each in outcomes:
            await journal.commit(each)


def found(directory: Path, id: str, request: str | None = None) -> dict[str, Any] | None:
    """What the next run finds under this id."""
    with Journal.open(state_in(directory), HEADER) as journal:
        return journal.kept(id, request or f"request of {id}")


async def test_the_next_run_finds_the_answer_with_everything_that_it_took(tmp_path: Path) -> None:
    """As it was written, byte by byte; the item can be told as answered from it alone."""
    await committed(tmp_path, outcome("a"), undelivered("b", flags=("odd",)), outcome("c"))
    fields = found(tmp_path, "b")
    assert fields is not None
    kept = kept_in(fields)
    paid = undelivered("b").measure
    assert (kept.message.text, kept.message.stop_reason, kept.message.flags) == (text_of("b"), "end_turn", ("odd",))
    assert (kept.message.usage, kept.message.output_tokens) == ({"output_tokens": 120}, 120)
    assert (kept.measure, kept.message.model) == (paid, "claude-haiku-5-5")


async def test_the_newest_one_counts(tmp_path: Path) -> None:
    """It was delivered once more, in vain."""
    await committed(tmp_path, undelivered("a", text="old"), undelivered("a", text="new"))
    fields = found(tmp_path, "a")
    assert fields is not None
    assert fields["text"] == "new"


async def test_an_answer_to_another_request_is_none_to_this(tmp_path: Path) -> None:
    """The line was edited since: it is asked."""
    await committed(tmp_path, undelivered("a"))
    assert found(tmp_path, "a", "edited") is None


@pytest.mark.parametrize(
    "other",
    [
        failure("a"),
        outcome("a"),
        undelivered("a", stop_reason=None),
    ],
)
async def test_no_other_record_is_taken_for_one(other: Outcome, tmp_path: Path) -> None:
    """A failure without an answer is asked again, an answer that counts is left alone."""
    await committed(tmp_path, other)
    assert found(tmp_path, "a") is None


async def test_what_can_be_read_no_more_is_asked_again(tmp_path: Path) -> None:
    """A byte has gone bad since: better paid twice than a wrong text published."""
    await committed(tmp_path, undelivered("a"))
    state = state_in(tmp_path)
    with Journal.open(state, HEADER) as journal:
        damage(state.results, lambda data: data.replace(b"the answer to a", b"the answer to b"))
        assert journal.kept("a", "request of a") is None


def test_a_file_that_is_gone_holds_nothing(tmp_path: Path) -> None:
    """It is not for this to say that the disk is broken."""
    assert kept_answer(tmp_path / "nowhere", "a", (0, 10)) is None
