"""Readers see what has finished so far, whatever the writer is doing, and change nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from batchrun.errors import JournalError
from batchrun.journal.reader import read_result
from batchrun.journal.state import StateDir
from batchrun.journal.writer import Journal
from tests.journal.builders import HEADER, checkpoints, damage, ids, outcome, state_in, text_of, write

OUTCOMES = [outcome(name) for name in "abc"]


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    """A state directory in which three items have finished."""
    state = state_in(tmp_path)
    write(state, *OUTCOMES)
    return state


async def test_reading_while_a_run_writes(tmp_path: Path) -> None:
    """No lock is taken and none is waited for (C15): each finished item is seen at once."""
    state = state_in(tmp_path)
    with Journal.open(state, HEADER) as journal:
        seen = [ids(state)]
        for each in OUTCOMES:
            await journal.commit(each)
            seen.append(ids(state))
    assert seen == [[], ["a"], ["a", "b"], ["a", "b", "c"]]


def test_each_checkpoint_leads_to_its_answer(state: StateDir) -> None:
    """Offset and length point to the very line."""
    assert [read_result(state, each)["text"] for each in checkpoints(state)] == [text_of(id) for id in "abc"]


@pytest.mark.parametrize("change", ["damaged", "another's", "cut", "gone"])
def test_an_answer_that_is_not_there_is_told_so(state: StateDir, change: str) -> None:
    """A damaged answer is never shown for a whole one, nor one item's for another's."""
    [_, second, third] = checkpoints(state)
    match change:
        case "damaged":
            damage(state.results, lambda data: data.replace(b"answer to c", b"answer to C"))
        case "another's":
            third = replace(third, result=second.result)
        case "cut":
            damage(state.results, lambda data: data[:-10])
        case _:
            state.results.unlink()
    with pytest.raises(JournalError, match="results"):
        read_result(state, third)
