"""Which runs a reader means by the night, and how each of them ended."""

from __future__ import annotations

from dataclasses import replace

import pytest

from batchrun.errors import MEANING, ExitCode
from batchrun.journal.runs import Run, RunEnd, RunStart
from batchrun.report.ending_text import run_words
from batchrun.report.night import Heard, How, changed_items, choose, tell
from batchrun.spent import Spent
from tests.report.nights import stamp

HOUR = 3600.0


def run(name: str, begin: float, end: float | None, exit_code: int = 0, reason: str = "finished") -> Run:
    """A run that began and ended so many seconds after the evening; `end` None: it wrote no end."""
    start = RunStart(name, stamp(begin), 1, "host", "0.1.0", "/jobs.jsonl", "ab", ["run"], 9, 9, "m", False)
    return Run(start, None if end is None else RunEnd(name, stamp(end), exit_code, reason))


def names(runs: list[Run]) -> list[str]:
    return [each.start.run for each in runs]


def test_the_night_is_the_runs_that_ended_in_it() -> None:
    """A run that began before it and ended in it belongs to it."""
    runs = [run("old", 0, HOUR), run("long", HOUR, 30 * HOUR), run("new", 31 * HOUR, 32 * HOUR)]
    assert names(choose(runs, {}, None, stamp(10 * HOUR))) == ["long", "new"]


def test_a_killed_run_belongs_to_the_night_in_which_it_was_last_heard_of() -> None:
    """It wrote no end; its telemetry tells how far it came, and without any, its start."""
    runs = [run("silent", 0, None), run("heard", 0, None), run("fresh", 11 * HOUR, None)]
    assert names(choose(runs, {"heard": Heard(stamp(12 * HOUR))}, None, stamp(10 * HOUR))) == ["heard", "fresh"]


def test_a_run_at_work_belongs_to_the_night_however_long_it_lasts() -> None:
    """Two days of labelling are one night, as long as they last."""
    assert names(choose([run("endless", 0, None)], {}, "endless", stamp(48 * HOUR))) == ["endless"]


def test_where_nothing_ran_the_newest_run_is_told() -> None:
    """Whoever looks after a week still learns how it ended."""
    assert names(choose([run("a", 0, 1), run("b", 2, 3)], {}, None, stamp(HOUR))) == ["b"]
    assert choose([], {}, None, stamp(HOUR)) == []


def test_a_start_that_found_nothing_pending_is_no_run_of_the_night() -> None:
    """It asked nobody; it is told only where no run ever asked anybody."""
    asked, looked = run("asked", 0, 60), run("looked", 2 * HOUR, 2 * HOUR)
    looked = replace(looked, start=replace(looked.start, pending=0))
    assert names(choose([asked, looked], {}, None, stamp(HOUR))) == ["asked"]
    assert names(choose([looked], {}, None, stamp(HOUR))) == ["looked"]


@pytest.mark.parametrize(
    ("exit_code", "how", "said"),
    [
        (0, How.ENDED, "ended (exit 0)"),
        (1, How.ENDED, "not every item has a full answer (exit 1)"),
        (75, How.DRAINED, "SIGTERM received (exit 75)"),
        (130, How.HALTED, "second signal: SIGTERM received (exit 130)"),
        (77, How.STOPPED, "stopped: SIGTERM received (exit 77)"),
        (99, How.STOPPED, "stopped: SIGTERM received (exit 99)"),
    ],
)
def test_each_ending_has_its_words(exit_code: int, how: How, said: str) -> None:
    """Ended, drained, stopped at once and stopped are told apart; an unknown code is no crash."""
    told = tell(run("a", 0, 60, exit_code, "SIGTERM received"), {}, None, stamp(90))
    assert told.how is how
    assert said in run_words(told).text
    assert told.seconds == 60


def test_every_exit_code_has_words() -> None:
    """Also those that no run can end with today."""
    for code in ExitCode:
        assert run_words(tell(run("a", 0, 1, int(code)), {}, None, stamp(2))).text


def test_a_killed_run_lasted_until_it_was_last_heard_of() -> None:
    """Its idle hours afterwards do not dilute its throughput."""
    told = tell(run("a", 0, None), {"a": Heard(stamp(90), {"connect": 4}, 9)}, None, stamp(HOUR))
    assert (told.how, told.seconds) == (How.KILLED, 90)
    assert "killed" in run_words(told).text
    assert (told.retried, told.wasted_tokens) == ({"connect": 4}, 9)


def test_what_a_run_told_at_its_end_counts_and_else_what_was_last_heard() -> None:
    """An older version told nothing of its failed attempts; that is not the same as none."""
    older = run("a", 0, 60)
    assert older.end is not None
    newer = replace(older, end=replace(older.end, retried={"silent": 2}, wasted_tokens=7))
    heard = {"a": Heard(stamp(58), {"silent": 1}, 5)}
    assert tell(newer, heard, None, stamp(90)).retried == {"silent": 2}
    assert tell(newer, heard, None, stamp(90)).wasted_tokens == 7
    assert tell(older, heard, None, stamp(90)).retried == {"silent": 1}
    assert tell(older, {}, None, stamp(90)).retried is None
    assert tell(run("a", 0, None), {}, None, stamp(90)).retried is None


def test_what_a_killed_run_spent_is_what_was_last_heard_of_it() -> None:
    """An end tells more than what was heard before; an older version's end told nothing."""
    heard = {"a": Heard(stamp(58), spent=Spent(0.5, 10))}
    assert tell(run("a", 0, None), heard, None, stamp(90)).spent == Spent(0.5, 10)
    ended = run("a", 0, 60)
    assert ended.end is not None
    told = replace(ended, end=replace(ended.end, spent=Spent(0.6, 12).told()))
    assert tell(told, heard, None, stamp(90)).spent == Spent(0.6, 12)
    assert tell(ended, {}, None, stamp(90)).spent is None


def test_the_newest_run_that_ended_tells_how_many_items_changed() -> None:
    """One that was killed counted none."""
    ended = run("a", 0, 60)
    assert ended.end is not None
    counted = replace(ended, end=replace(ended.end, counts={"done": 1, "changed": 3}))
    assert changed_items([counted, run("b", 70, None)]) == 3
    assert changed_items([counted, run("b", 70, 80)]) == 0
    assert changed_items([]) == 0


def test_a_stop_that_only_finished_is_told_by_its_meaning() -> None:
    """An older run that left the items of an unknown model told no reason."""
    said = run_words(tell(run("a", 0, 60, 78, "finished"), {}, None, stamp(90))).text
    assert said == f"stopped: {MEANING[ExitCode.BAD_CONFIG]} (exit 78)"
    model = "unknown model claude-x: model: claude-x (asked http://127.0.0.1:9)"
    assert run_words(tell(run("a", 0, 60, 78, model), {}, None, stamp(90))).text == f"stopped: {model} (exit 78)"


def test_a_run_at_work_lasts_until_now() -> None:
    """It is told as running."""
    told = tell(run("a", 0, None), {"a": Heard(stamp(90), {"connect": 4}, 9)}, "a", stamp(100))
    assert (told.how, told.seconds) == (How.RUNNING, 100)


def test_a_clock_that_was_set_back_makes_no_negative_time() -> None:
    """An end before its start is no time at all."""
    assert tell(run("a", 60, 0), {}, None, stamp(90)).seconds == 0
