"""`batchrun tune`, the installed program, beside a run that works and where none does."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from batchrun.item import timestamp
from batchrun.journal.control import read_control
from batchrun.journal.state import StateDir
from batchrun.simulator.process import start_simulator
from tests.cli.program import (
    LIMIT_SECONDS,
    RequestPipe,
    assert_each_answered_once,
    batchrun,
    prompts,
    start_batchrun,
    write_jobs,
)
from tests.report.nights import StateWriter

ITEMS = 60  # half a second each: the run outlasts the commands on a busy machine, too


class TelemetryPipe:
    """A named pipe in the place of telemetry.jsonl: each period can be waited for."""

    def __init__(self, state: StateDir) -> None:
        state.create()
        os.mkfifo(state.telemetry)
        self._fd = os.open(state.telemetry, os.O_RDWR | os.O_CLOEXEC)
        self._lines = _lines(self._fd)

    def __enter__(self) -> TelemetryPipe:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The gate in the first period from now on for which this holds."""
        gates = (line["gates"]["claude"] for line in self._lines)
        return next(gate for gate in gates if holds(gate))

    def periods(self, count: int) -> list[dict[str, Any]]:
        """The gate in the next so many periods."""
        return [next(self._lines)["gates"]["claude"] for _ in range(count)]

    def within_a_period(self, moment: str) -> dict[str, Any]:
        """The gate in the second period that was told after that moment: the first may have begun before it."""
        next(line for line in self._lines if line["t"] > moment)
        return self.periods(1)[0]


def _lines(fd: int) -> Iterator[dict[str, Any]]:
    partial = b""
    while True:
        readable, _, _ = select.select([fd], [], [], LIMIT_SECONDS)
        assert readable, f"no period in {LIMIT_SECONDS} s"
        *lines, partial = (partial + os.read(fd, 1 << 16)).split(b"\n")
        yield from (orjson.loads(line) for line in lines)


def test_a_run_is_tuned_while_it_works(tmp_path: Path) -> None:
    """Fewer slots, a pause, another buffer, going on and many slots: each is obeyed and told in the telemetry (the
    buffer in the log), and every item is answered once."""
    jobs = write_jobs(tmp_path / "jobs.jsonl", prompts(ITEMS))

    def tune(*words: str) -> str:
        done = batchrun("tune", "jobs.jsonl", *words, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        return done.stderr

    with (
        RequestPipe(tmp_path / "requests") as heard,
        start_simulator("instant", log=heard.path, extra=("--ttft", "0.5")) as server,
        TelemetryPipe(StateDir.for_jobs(jobs)) as told,
    ):
        env = {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": server.base_url}
        words = ("--min-slots", "2", "--max-slots", "2", "--period", "30ms", "--log", "log")
        run = start_batchrun("run", "jobs.jsonl", *words, cwd=tmp_path, env=env)
        with run:
            heard.wait_for(3)
            assert "tuned" not in told.until(lambda gate: gate["in_flight"] == 2)
            one = ("--min-slots", "1", "--max-slots", "1")
            assert tune(*one) == "batchrun: asked of every gate: at least 1 slot, at most 1 slot\n"
            gate = told.within_a_period(timestamp())
            assert (gate["tuned"], gate["slots"]) == ({"min_slots": 1, "max_slots": 1}, 1)
            told.until(lambda gate: gate["in_flight"] == 1)
            assert {gate["in_flight"] for gate in told.periods(15)} <= {0, 1}
            assert tune("--pause", "--buffer", "3").splitlines() == [
                "batchrun: asked of every gate: at least 1 slot, at most 1 slot, paused",
                "batchrun: asked of every pipe: 3 pieces",
            ]
            told.until(lambda gate: gate["limited_by"] == "paused" and gate["in_flight"] == 0)
            asked = heard.count("request")
            told.periods(15)
            assert heard.count("request") == asked < ITEMS
            tune("--resume", "--min-slots", str(ITEMS), "--max-slots", str(ITEMS))
            heard.wait_for(ITEMS)
            _, remarks = run.communicate(timeout=LIMIT_SECONDS)
    assert run.returncode == 0, remarks
    assert_each_answered_once(jobs)
    assert (tmp_path / "log").read_text().count("pipes: 16 -> 3 pieces") == 1
    done = batchrun("tune", "jobs.jsonl", "--max-slots", "1", cwd=tmp_path)
    assert done.returncode == 66
    assert "no run is at work here; give the options to `batchrun run` instead" in done.stderr


def test_a_changed_settings_file_is_taken_when_somebody_asks(tmp_path: Path) -> None:
    """By SIGUSR1 and by `tune --reload`; a mistake in it is told and changes nothing, and no item is lost."""
    jobs, settings = write_jobs(tmp_path / "jobs.jsonl", prompts(ITEMS)), tmp_path / "batchrun.toml"
    settings.write_text("[gate]\nmin_slots = 2\nmax_slots = 2\n")
    with (
        RequestPipe(tmp_path / "requests") as heard,
        start_simulator("instant", log=heard.path, extra=("--ttft", "0.5")) as server,
        TelemetryPipe(StateDir.for_jobs(jobs)) as told,
    ):
        env = {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": server.base_url}
        with start_batchrun("run", "jobs.jsonl", "--period", "30ms", cwd=tmp_path, env=env) as run:
            heard.wait_for(3)
            settings.write_text("[gate]\nmax_slots = 1\n")
            assert {gate["slots"] for gate in told.periods(3)} == {2}
            run.send_signal(signal.SIGUSR1)
            told.until(lambda gate: gate["slots"] == 1)
            settings.write_text("[gate]\nmax_slots = 'many'\n")
            asked = batchrun("tune", "--state", "jobs.batchrun", "--reload", cwd=tmp_path)
            assert (asked.returncode, asked.stderr) == (0, "batchrun: asked to read batchrun.toml again\n")
            assert {gate["slots"] for gate in told.periods(15)} == {1}
            settings.write_text(f"[gate]\nmin_slots = {ITEMS}\n")
            assert batchrun("tune", "--state", "jobs.batchrun", "--reload", cwd=tmp_path).returncode == 0
            told.until(lambda gate: gate["slots"] == ITEMS)
            _, remarks = run.communicate(timeout=LIMIT_SECONDS)
    assert run.returncode == 0, remarks
    assert remarks.count("the settings were read again") == 2
    assert remarks.count("the settings stay as they are: ") == 1
    assert "[gate] max_slots: 'many' is no whole number above 0" in remarks
    assert_each_answered_once(jobs)


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[StateWriter]:
    """A run that began a minute ago; this very process holds its lock."""
    found = StateWriter(tmp_path / "jobs.jsonl", datetime.now(UTC) - timedelta(minutes=1))
    found.run_begins("run-1", 0, 300, 300)
    found.snapshot("run-1", 59)
    lock = found.hold_lock()
    yield found
    lock.release()


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ([], 2, "nothing to change; give for example --max-slots 4"),
        (["--max-slots", "many"], 2, "--max-slots: 'many' is no whole number above 0"),
        (["--buffer", "0"], 2, "--buffer: '0' is no whole number above 0"),
        (["--min-slots", "9", "--max-slots", "8"], 2, "--min-slots 9 is above --max-slots 8"),
        (["--backend", "local", "--pause"], 2, "--backend: this run has no backend 'local'; it has: claude"),
    ],
)
def test_what_cannot_be_asked_is_told_and_nothing_is_written(
    writer: StateWriter, words: list[str], code: int, told: str
) -> None:
    """One line, no traceback, and the run is left alone."""
    done = batchrun("tune", "jobs.jsonl", *words, cwd=writer.jobs.parent)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(f"batchrun: {told}")
    assert done.stderr.count("\n") == 1
    assert not writer.state.control.exists()


def test_a_run_in_another_place_is_found_by_its_settings(writer: StateWriter) -> None:
    """Where batchrun.toml put the state, `tune` looks for it."""
    home = writer.jobs.parent / "home"
    home.mkdir()
    home.joinpath("jobs.jsonl").touch()
    home.joinpath("batchrun.toml").write_text('[run]\nstate = "../jobs.batchrun"\n')
    done = batchrun("tune", "home/jobs.jsonl", "--backend", "claude", "--pause", cwd=writer.jobs.parent)
    assert (done.returncode, done.stderr) == (0, "batchrun: asked of claude: paused\n")
    asked = read_control(writer.state)
    assert asked is not None
    assert asked.gates["claude"].paused


def test_where_nothing_was_ever_run_there_is_nothing_to_tune(tmp_path: Path) -> None:
    """Exit 66, like `status`."""
    write_jobs(tmp_path / "jobs.jsonl", prompts(1))
    done = batchrun("tune", "jobs.jsonl", "--pause", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (66, "")
