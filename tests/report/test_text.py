"""The page of a rough night, whole: what an operator reads over a morning coffee."""

from __future__ import annotations

from datetime import UTC, timedelta
from pathlib import Path

import pytest

from batchrun.report.lines import Lines
from batchrun.report.page import Block, Command, Page, Words
from batchrun.report.periods import read_periods
from batchrun.report.plain import moment
from batchrun.report.source import find_source, night_of
from batchrun.report.sparkline import ASCII
from batchrun.report.summary import Summary, summarise
from batchrun.report.text import report_page
from tests.report.lines import said
from tests.report.nights import StateWriter, outcome, rough_night, stamp


def read(writer: StateWriter, now: float) -> Summary:
    source = find_source(writer.jobs, None, writer.jobs.parent)
    night = night_of(source, timedelta(days=1), moment(stamp(now)))
    return summarise(night, Lines(source.state), read_periods(source.state.telemetry, night.since))


@pytest.fixture(scope="module")
def rough(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    return read(rough_night(tmp_path_factory.mktemp("night") / "jobs.jsonl"), 4000)


def titles(page: Page) -> list[str]:
    return [part.text if isinstance(part, Words) else part.title for part in page]


def test_a_rough_night_on_one_page(rough: Summary) -> None:
    """First how it went, last what to do; every question of the morning has its block."""
    page = report_page(rough, 80, UTC)
    assert [title.partition(":")[0] for title in titles(page)] == [
        "298 of 300 items answered in 40 min; 2 failed; nothing pending.",
        f"2 runs of {rough.night.jobs}",
        "Failed",
        "Speed",
        "Retries and waste",
        "Cost",
        "Load from 22",
        "What limited",
        "Did it stall?",
        "Items to look at (`show ID` tells more)",
        "Nothing is left to ask; 2 items without a full answer will not be asked again.",
    ]


def test_each_run_of_the_night_has_its_line(rough: Summary) -> None:
    """When it began, how long it lasted, what it had to do, how it ended."""
    text = said(report_page(rough, 80, UTC))
    assert "22:00:00 | 12 min | 300 to do | killed (kill -9, out of memory or power)" in text
    assert "22:22:00 | 28 min | 202 to do | ended; not every item has a full answer (exit 1)" in text


@pytest.mark.parametrize("width", [40, 80, 120])
def test_curves_fit_the_width_and_show_the_gap_between_the_runs(rough: Summary, width: int) -> None:
    """Ten minutes in which nothing ran are blank in both curves."""
    [load] = [part for part in report_page(rough, width, UTC) if isinstance(part, Block) and "Load" in part.title]
    slots, cpu = (row[1].text for row in load.rows)
    assert len(slots) == len(cpu) <= max(width - 30, 16)
    assert "   " in slots.strip()
    assert slots.count(" ") == cpu.count(" ")


def test_a_terminal_without_blocks_gets_other_marks(rough: Summary) -> None:
    """Nothing in a page of that kind but the ellipsis needs Unicode."""
    text = said(report_page(rough, 80, UTC, marks=ASCII))
    assert text.replace("…", "").isascii()


def test_many_runs_are_shortened(tmp_path: Path) -> None:
    """Cron's every quarter of an hour is no screenful; how many there were is said."""
    writer = StateWriter(tmp_path / "jobs.jsonl")
    for place in range(30):
        writer.run_begins(f"run-{place}", 900 * place, 3, 3)
        writer.run_ends(f"run-{place}", 900 * place + 60, 75, "nothing has finished for 60 min")
    page = report_page(read(writer, 30_000), 80, UTC)
    [runs] = [part for part in page if isinstance(part, Block)]
    assert runs.title.startswith("30 runs of")
    assert "the last 5 are shown" in runs.title
    assert len(runs.rows) == 5


def test_after_a_drain_the_last_line_is_the_command(tmp_path: Path) -> None:
    """To be copied, with the flags of the run."""
    writer = StateWriter(tmp_path / "jobs.jsonl")
    writer.run_begins("run-1", 0, 3, 3, ["--model", "m", "--limit", "1"])
    writer.finish(outcome("a"))
    writer.run_ends("run-1", 90, 75, "SIGTERM received")
    last = report_page(read(writer, 200), 80, UTC)[-1]
    assert last == Command("To go on (2 pending):", f"batchrun run {writer.jobs} --model m")


def test_an_older_run_is_told_as_one(tmp_path: Path) -> None:
    """Where none ended in the time that was asked for, nobody takes the newest one for last night's."""
    writer = StateWriter(tmp_path / "jobs.jsonl")
    writer.run_begins("run-1", 0, 1, 1)
    writer.finish(outcome("a"))
    writer.run_ends("run-1", 90)
    day = 24 * 3600
    told = "No run ended in the last 24 h 00 min; this is the newest one."
    assert told not in titles(report_page(read(writer, day), 80, UTC))
    assert titles(report_page(read(writer, day + 91), 80, UTC))[1] == told
