"""What a sink is handed: its own copy of what will stand in the record."""

from __future__ import annotations

from batchrun.outcome import Measure, Outcome, Status
from batchrun.sinks.sink import answered, coming

OUTCOME = Outcome(
    id="a",
    status=Status.INCOMPLETE,
    final=True,
    measure=Measure(),
    attempts=3,
    elapsed=1.0,
    wasted_tokens=0,
    backend="claude",
    model="claude-haiku-5-5",
    request="0" * 16,
    started="2026-11-20T01:00:00.000Z",
    finished="2026-11-20T01:00:01.000Z",
    stop_reason="max_tokens",
    text="Hel",
    content=[{"type": "text", "text": "Hel"}],
    usage={"output_tokens": 1, "cache": {"read": 2}},
    metadata={"site": {"name": "one"}},
)


def test_an_answer_is_handed_on_as_it_is() -> None:
    """The fields of the outcome, under the same names; a status reads as its word."""
    item = answered(OUTCOME)
    same = ("id", "model", "metadata", "status", "text", "stop_reason", "usage", "content")
    assert [getattr(item, name) for name in same] == [getattr(OUTCOME, name) for name in same]
    assert (item.attempt, item.status == "incomplete") == (3, True)


def test_a_sink_may_do_with_it_what_it_likes() -> None:
    """The record is written afterwards, and shall not change under a user's hands."""
    item = answered(OUTCOME)
    assert item.metadata is not None
    item.metadata["site"]["name"] = "two"
    item.usage["cache"].clear()
    item.content[0]["text"] = ""
    again = answered(OUTCOME)
    assert (again.metadata, again.usage["cache"], again.content[0]["text"]) == (
        {"site": {"name": "one"}},
        {"read": 2},
        "Hel",
    )
    metadata = {"site": {"name": "one"}}
    early = coming("a", 1, "m", metadata)
    assert early.metadata is not None
    early.metadata["site"]["name"] = "two"
    assert metadata == {"site": {"name": "one"}}


def test_an_answer_on_its_way_has_no_status_yet() -> None:
    """Nothing that could be taken for an end."""
    item = coming("a", 2, "m", None)
    assert (item.id, item.attempt, item.model, item.metadata, item.status, item.text) == ("a", 2, "m", None, None, "")
