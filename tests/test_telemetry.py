"""What a run tells of itself while it goes on."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from batchrun.errors import ExitCode, JournalError
from batchrun.gate.load import Load
from batchrun.item import timestamp
from batchrun.journal.disk import Disk
from batchrun.spent import Spent
from batchrun.tally import View
from batchrun.telemetry import TelemetryLog, forget_old, snapshot, telemetry_line

GATES = {"claude": {"slots": 8, "in_flight": 5, "waiting": 2, "limited_by": "jobs", "reason": "only 5 of 8 used"}}
VIEW = View(
    elapsed=12.0,
    total=100,
    finished={"done": 40, "incomplete": 1, "refused": 2, "failed": 3},
    pending=54,
    in_flight=5,
    backing_off=1,
    with_sinks=2,
    retries=7,
    retried={"broken": 7},
    wasted_tokens=90,
    again=2,
    tok_s=123.456,
    eta_s=61.7,
    gates=GATES,
    cpu=33.333,
    cpu_ewma=31.0,
    last_error={"id": "a", "cause": "silent", "message": "not a byte for 60 s"},
    stopping=None,
    spent=Spent(0.123456789, 40, 3, None, 90, 0.0, 5000, ("llama3.2",)),
)
SPENT = {
    "usd": 0.12345679,
    "items_priced": 40,
    "items_unpriced": 3,
    "wasted_usd_estimate": None,
    "wasted_tokens_unpriced": 90,
    "saved_by_cache_usd": 0.0,
    "tokens": 5000,
    "unknown_models": ("llama3.2",),
}
LOAD = Load(cpu=33.333, cpu_ewma=31.07, proc_cpu=12.34, rss_mb=61.26, cpu_mhz=2400.4, temp_c=None, samples=3)
FACTS = {"run": "run-1", "jobs": "/somewhere/jobs.jsonl", "started": "2026-11-21T03:00:00.000Z", "model": "m"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "telemetry.jsonl"


def lines(path: Path) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def test_a_line_has_the_fields_of_the_contract() -> None:
    """Names and units as the format says; rounded to what means something; the unknown is null."""
    line = telemetry_line("run-1", VIEW, LOAD, lag_ms=1.26)
    line.pop("t")
    assert line == {
        "run": "run-1",
        "cpu": 33.3,
        "cpu_ewma": 31.1,
        "proc_cpu": 12.3,
        "loop_lag_ms": 1.3,
        "rss_mb": 61.3,
        "cpu_mhz": 2400,
        "temp_c": None,
        "done": 40,
        "failed": 3,
        "tok_s": 123.5,
        "retries": 7,
        "retried": {"broken": 7},
        "wasted_tokens": 90,
        "spent": SPENT,
        "with_sinks": 2,
        "gates": GATES,
    }


def test_a_machine_that_tells_little_makes_a_line_too() -> None:
    """No frequency, no average yet."""
    line = telemetry_line("run-1", VIEW, replace(LOAD, cpu_mhz=None, cpu_ewma=None, temp_c=51.0), 0.0)
    assert (line["cpu_mhz"], line["cpu_ewma"], line["temp_c"]) == (None, None, 51.0)


def test_lines_are_appended_from_run_to_run(path: Path) -> None:
    """Each a whole JSON object and a newline; a second run goes on below; nobody else may read."""
    for run in ("run-1", "run-2"):
        with TelemetryLog(path, run) as log:
            log.append(VIEW, LOAD, 0.5)
            log.append(VIEW, LOAD, 0.5)
    assert [line["run"] for line in lines(path)] == ["run-1", "run-1", "run-2", "run-2"]
    assert path.read_bytes().endswith(b"}\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_line_is_on_its_way_at_once(path: Path) -> None:
    """Who follows the file sees each period as it ends: nothing waits in a buffer."""
    with TelemetryLog(path, "run-1") as log:
        log.append(VIEW, LOAD, 0.5)
        assert len(lines(path)) == 1


def test_no_child_inherits_the_file(path: Path) -> None:
    """The simulator's process, say, would keep it open."""
    with TelemetryLog(path, "run-1"):
        opened = [fd for fd in Path("/dev/fd").iterdir() if fd.resolve() == path.resolve()]
        assert opened
        assert not any(os.get_inheritable(int(fd.name)) for fd in opened)


def test_a_full_disk_loses_the_line_and_nothing_else() -> None:
    """The journal will say so soon enough; telemetry never ends a night."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    with TelemetryLog(full, "run-1") as log:
        log.append(VIEW, LOAD, 0.5)


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """Before the first request: exit 74, with the path."""
    with pytest.raises(JournalError, match=r"telemetry\.jsonl: cannot be opened") as error:
        TelemetryLog(tmp_path / "missing" / "telemetry.jsonl", "run-1").__enter__()
    assert error.value.exit_code is ExitCode.IO_ERROR


def test_a_snapshot_tells_facts_counts_and_gates() -> None:
    """What `status` needs and a live run alone knows; while it goes on there is no exit code."""
    told = snapshot(VIEW, FACTS)
    assert told["schema"] == "batchrun.snapshot/1"
    assert FACTS.items() <= told.items()
    assert VIEW.finished.items() <= told.items()
    assert (told["total"], told["pending"], told["in_flight"], told["backing_off"]) == (100, 54, 5, 1)
    assert told["with_sinks"] == 2
    assert (told["tok_s"], told["eta_s"], told["retries"], told["gates"]) == (123.5, 62, 7, GATES)
    assert told["last_error"] == VIEW.last_error
    assert (told["cost_usd"], told["spent"]) == (0.12345679, SPENT)
    assert (told["ended"], told["exit_code"], told["reason"]) == (False, None, None)
    assert orjson.loads(orjson.dumps(told)) == told | {"spent": SPENT | {"unknown_models": ["llama3.2"]}}


def test_a_snapshot_of_a_run_that_drains_says_why() -> None:
    """`reason` is there before the end is."""
    told = snapshot(replace(VIEW, stopping="SIGTERM received", eta_s=None), FACTS)
    assert (told["ended"], told["reason"], told["eta_s"]) == (False, "SIGTERM received", None)


def test_the_last_snapshot_says_how_it_ended() -> None:
    """Exit code and reason."""
    told = snapshot(VIEW, FACTS, {"exit_code": 75, "reason": "quota"})
    assert (told["ended"], told["exit_code"], told["reason"]) == (True, 75, "quota")


def test_a_log_shows_where_it_is_in_one_line(path: Path) -> None:
    """For the log of logs."""
    assert repr(TelemetryLog(path, "run-1")) == f"<TelemetryLog {path}>"


# -- what is forgotten -------------------------------------------------------------------------------------------------

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


def write_days(path: Path, *ages: float) -> None:
    """A line of so many days ago each, of 1 KB, so that a search finds its way among them."""
    line = [{"t": timestamp(NOW - timedelta(days=age)), "age": age, "more": "x" * 1000} for age in ages]
    path.write_bytes(b"".join(orjson.dumps(each) + b"\n" for each in line))


def test_weeks_of_telemetry_are_dropped_once_they_are_in_the_way(path: Path) -> None:
    """The last four are kept to the line, in their order; the next run appends to them."""
    write_days(path, *(age / 10 for age in range(400, 0, -1)))
    forget_old(path, NOW, worth=1000)
    assert [line["age"] for line in lines(path)] == [age / 10 for age in range(280, 0, -1)]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(("oldest", "worth"), [(34, 0), (60, 1 << 20)], ids=["not old", "not large"])
def test_what_is_in_nobodys_way_is_left_alone(path: Path, oldest: int, worth: int) -> None:
    """So it is written anew once a week at most, and never where it is small."""
    write_days(path, *range(oldest, 0, -1))
    before = path.stat().st_ino
    forget_old(path, NOW, worth=worth)
    assert path.stat().st_ino == before


def test_a_line_that_cannot_be_read_is_no_reason_to_drop_what_is_young(path: Path) -> None:
    """Before the first good one it goes, behind it it stays."""
    write_days(path, 60, 1)
    path.write_bytes(b"torn\n" + path.read_bytes() + b"torn\n")
    forget_old(path, NOW, worth=0)
    assert path.read_bytes().count(b"\n") == 2
    assert path.read_bytes().endswith(b"torn\n")


class DiskThatTakesNothing(Disk):
    def write(self, fd: int, data: bytes | memoryview) -> int:
        raise OSError(28, "No space left on device")


def test_a_full_disk_leaves_the_telemetry_as_it_is(path: Path) -> None:
    """And no draft; a file that is not there is none either."""
    forget_old(path, NOW)
    write_days(path, 60, 1)
    before = path.read_bytes()
    forget_old(path, NOW, DiskThatTakesNothing(), worth=0)
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == [path.name]
