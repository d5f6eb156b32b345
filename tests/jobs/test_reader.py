"""A job file: every fault in it, and the way back to its lines."""

from __future__ import annotations

import hashlib
import json
import os
import tracemalloc
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrun.errors import ExitCode, JobFileError, JobFileUnreadable, UsageError
from batchrun.jobs.job import RequestFlags
from batchrun.jobs.line import parse_line
from batchrun.jobs.opening import BOM
from batchrun.jobs.reader import Reading, Selection, check_jobs
from tests.jobs.lines import BACKENDS, FLAGS, checked, encoded, everything, faults, ids, simple


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jobs.jsonl"


def lines(*names: str, end: bytes = b"\n") -> bytes:
    return b"".join(encoded(simple(id=name)) + end for name in names)


# -- faults ------------------------------------------------------------------------------------------------------------


def test_all_faults_of_a_file_are_told_at_once(path: Path) -> None:
    """file:line, what, and what to do, in the order of the file; exit 65."""
    content = b'not json\n{"prompt": "x"}\n\n{"id": "a"}\n{"id": "b", "prompt": "x"}\n{"id": "b", "prompt": "y"}\n'
    error = faults(path, content)
    assert error.exit_code is ExitCode.BAD_JOB_FILE
    told = str(error).split("\n")
    assert [line.removeprefix(str(path))[:3] for line in told] == [":1:", ":2:", ":4:", ":6:"]
    assert "not JSON" in told[0]
    assert "write one JSON object on one line" in told[0]
    assert "no id" in told[1]
    assert "neither messages nor prompt" in told[2]
    assert "duplicate id 'b', first used on line 5" in told[3]


def test_a_line_with_several_faults_is_told_of_each(path: Path) -> None:
    """One line, two faults, two messages with the same place."""
    error = faults(path, b'{"max_tokens": 0, "prompt": "x"}\n')
    assert [(fault.line, fault.what[:6]) for fault in error.faults] == [(1, "no id"), (1, "max_to")]


def test_a_thousand_faults_are_counted_and_a_hundred_told(path: Path) -> None:
    """The first hundred, and how many more there are."""
    error = faults(path, b"x\n" * 1000)
    assert (error.total, len(error.faults)) == (1000, 100)
    assert str(error).endswith(":100: " + str(error.faults[-1]).partition(":100: ")[2] + "\n... and 900 more")


def test_a_hundred_faults_are_all_told(path: Path) -> None:
    """At the bound nothing is left out, and nobody says so."""
    assert "more" not in str(faults(path, b"x\n" * 100)).rpartition("\n")[2]


def test_a_duplicate_names_the_first_line_each_time(path: Path) -> None:
    """Blank lines count as lines, for an editor counts them."""
    error = faults(path, b"\n" + lines("a", "b", "a", "a"))
    assert [(fault.line, fault.what) for fault in error.faults] == [
        (4, "duplicate id 'a', first used on line 2"),
        (5, "duplicate id 'a', first used on line 2"),
    ]


class IdsOfAJournal:
    """Knows some ids beforehand, in an order of its own."""

    places = 3

    def place(self, id: str) -> int | None:
        return {"b": 2, "a": 0, "gone": 1}.get(id)


def test_ids_that_are_known_beforehand_are_told_apart_as_well(path: Path) -> None:
    """The same duplicates with the same first lines, whoever keeps the ids."""
    path.write_bytes(lines("a", "c", "b", "a", "c", "b", "a"))
    found = []
    for reading in (Reading(), Reading(known=IdsOfAJournal())):
        with pytest.raises(JobFileError) as bad:
            check_jobs(path, FLAGS, BACKENDS, everything, reading=reading)
        found.append([(fault.line, fault.what) for fault in bad.value.faults])
    assert found[0] == found[1]
    assert len(found[0]) == 4


def test_a_duplicate_of_a_line_at_fault_is_a_duplicate(path: Path) -> None:
    """All at once: nobody mends a line only to hear that its id was taken all along."""
    error = faults(path, b'{"id": "a"}\n' + lines("a", "b") + b'{"id": "b", "max_tokens": 0, "prompt": "x"}\n')
    assert [(fault.line, fault.what.partition(",")[0]) for fault in error.faults] == [
        (1, "neither messages nor prompt"),
        (2, "duplicate id 'a'"),
        (4, "max_tokens is not a whole number above 0"),
        (4, "duplicate id 'b'"),
    ]


def test_ids_that_only_look_alike_are_two(path: Path) -> None:
    """No folding of case, accents or blanks: an id is its code points."""
    names = ["a", "A", "a ", "é", "e\u0301", "\u200ba"]
    assert ids(checked(path, lines(*names))) == names


def test_a_fault_shows_an_id_without_its_control_characters(path: Path) -> None:
    """What could steer a terminal is escaped."""
    [fault] = faults(path, lines("\x1b[31m\u202ea", "\x1b[31m\u202ea")).faults
    assert r"'\x1b[31m\u202ea'" in fault.what


def test_a_fault_in_a_file_with_a_bom_names_the_right_line(path: Path) -> None:
    """A byte order mark is no fault and moves nothing."""
    assert [fault.line for fault in faults(path, BOM + lines("a") + b"x\n").faults] == [2]


# -- what cannot be read -----------------------------------------------------------------------------------------------


def test_a_file_that_is_missing_cannot_be_read(path: Path) -> None:
    """Exit 66, with the path and what to do."""
    with pytest.raises(JobFileUnreadable, match="there is no such file; check the path") as unreadable:
        check_jobs(path, FLAGS, BACKENDS, everything)
    assert unreadable.value.exit_code is ExitCode.NO_INPUT
    assert str(path) in str(unreadable.value)


def test_a_directory_cannot_be_read(tmp_path: Path) -> None:
    """Exit 66: a directory was named where a file in it was meant."""
    with pytest.raises(JobFileUnreadable, match="is a directory; name the job file in it"):
        check_jobs(tmp_path, FLAGS, BACKENDS, everything)


def test_a_path_that_the_system_refuses_cannot_be_read(tmp_path: Path) -> None:
    """Exit 66 with the system's own reason."""
    with pytest.raises(JobFileUnreadable, match="File name too long"):
        check_jobs(tmp_path / ("x" * 300), FLAGS, BACKENDS, everything)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_cannot_be_read(path: Path) -> None:
    """Exit 66: cron's user is not the one who wrote the file."""
    path.write_bytes(lines("a"))
    path.chmod(0)
    with pytest.raises(JobFileUnreadable, match="check its permissions"):
        check_jobs(path, FLAGS, BACKENDS, everything)


def test_a_pipe_cannot_be_read_twice(path: Path) -> None:
    """Exit 66 at once: lines are read again while the run goes on, and a pipe has forgotten them."""
    os.mkfifo(path)
    with pytest.raises(JobFileUnreadable, match=r"no regular file; write the jobs to a file first"):
        check_jobs(path, FLAGS, BACKENDS, everything)


NO_DISK = Path("/proc/self/mem")  # opens, and fails to be read at its beginning


@pytest.mark.skipif(not NO_DISK.exists(), reason="needs a file whose reading fails")
def test_a_disk_that_fails_while_lines_are_read_again_is_told(path: Path) -> None:
    """Exit 66 with the line, in mid-run as at the start, and not the system's naked error."""
    jobs = replace(checked(path, lines("a", "b")), path=NO_DISK)
    with pytest.raises(JobFileUnreadable, match=r"cannot be read at line 1 \(Input/output error\); check the disk"):
        next(iter(jobs.jobs("claude")))


# -- forms of a file ---------------------------------------------------------------------------------------------------


def test_an_empty_file_holds_nothing(path: Path) -> None:
    """That is a fault: a generator that failed leaves just this. Blank lines and a byte order mark are no jobs."""
    for content in (b"", BOM, b"\n\r\n \n", BOM + b"\r\n"):
        with pytest.raises(JobFileError, match="no job in the whole file"):
            checked(path, content)


def test_the_digest_is_that_of_the_bytes_on_disk(path: Path) -> None:
    """sha256sum says the same, whatever the line ends."""
    content = BOM + lines("a", end=b"\r\n") + b"\n" + lines("b", end=b"")
    assert checked(path, content).sha256 == hashlib.sha256(content).hexdigest()


def test_only_a_newline_ends_a_line(path: Path) -> None:
    """U+2028, U+2029, U+0085, form feeds and bare carriage returns stay inside what people wrote."""
    odd = "a\u2028b\u2029c\u0085d"
    content = encoded(simple(id=odd, prompt=odd)) + b"\r \n" + encoded(simple(id="next"))
    file = checked(path, content)
    assert ids(file) == [odd, "next"]
    assert next(file.jobs("claude")).body["messages"][0]["content"] == odd


jobs = st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), unique=True, min_size=1, max_size=8)
ends = st.sampled_from([b"\n", b"\r\n", b"\n\n", b"\r\n \r\n", b"  \n"])


@given(names=jobs, separators=st.lists(ends, min_size=8, max_size=8), bom=st.booleans(), last=st.booleans())
def test_each_job_is_found_again_by_its_offset(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], separators: list[bytes], bom: bool, last: bool
) -> None:
    """For any mix of line ends, blank lines, a byte order mark or none, a last newline or none."""
    content = b"".join(encoded(simple(id=name)) + end for name, end in zip(names, separators, strict=False))
    content = BOM * bom + (content if last else content.rstrip())
    file = checked(tmp_path_factory.getbasetemp() / "any.jsonl", content)
    found = list(file.jobs("claude")) if names else []
    assert [job.id for job in found] == names
    stripped = content.removeprefix(BOM).split(b"\n")
    assert all(parse_line(stripped[job.line - 1], job.line, FLAGS, BACKENDS) == job for job in found)


def test_each_backend_has_its_own_jobs_in_the_order_of_the_file(path: Path) -> None:
    """One gate never waits behind another's lines; models are counted over all of them."""
    content = b"\n".join(
        encoded(simple(id=name, backend=backend, model=model))
        for name, backend, model in [("a", "ollama", "m"), ("b", "claude", "m"), ("c", "ollama", "n")]
    )
    file = checked(path, content)
    assert (ids(file, "ollama"), ids(file, "claude")) == (["a", "c"], ["b"])
    assert file.models == {"m": 2, "n": 1}
    assert (file.total, file.pending_count) == (3, 3)


def test_flags_reach_the_jobs_that_are_read_again(path: Path) -> None:
    """What was fingerprinted is what is sent."""
    flags = RequestFlags(model="m", max_tokens=5, backend="ollama")
    file = checked(path, lines("a"), flags=flags)
    [job] = file.jobs("ollama")
    assert (job.model, job.body["max_tokens"], job.backend) == ("m", 5, "ollama")


# -- what is pending ---------------------------------------------------------------------------------------------------


def test_only_what_is_pending_is_read_again(path: Path) -> None:
    """Finished lines are checked and counted, and never come back."""
    file = checked(path, lines("a", "b", "c"), is_pending=lambda id, request: id != "b")
    assert (ids(file), file.total, file.pending_count) == (["a", "c"], 3, 2)


def test_the_journal_is_asked_with_the_request_as_it_will_be_sent(path: Path) -> None:
    """id and fingerprint together decide."""
    asked: dict[str, str] = {}

    def notes(id: str, request: str) -> bool:
        asked[id] = request
        return True

    file = checked(path, lines("a", "b"), is_pending=notes)
    assert asked == {job.id: job.request for job in file.jobs("claude")}


def test_a_limit_takes_the_first_pending_ones(path: Path) -> None:
    """Finished items do not use it up: each night with --limit 2 does two more."""
    file = checked(path, lines("a", "b", "c", "d"), Selection(limit=2), is_pending=lambda id, request: id != "a")
    assert (ids(file), file.pending_count, file.total) == (["b", "c"], 2, 4)


def test_a_limit_counts_over_all_backends(path: Path) -> None:
    """Three items are three items, whoever answers."""
    content = b"\n".join(encoded(simple(id=str(n), backend=["claude", "ollama"][n % 2])) for n in range(6))
    file = checked(path, content, Selection(limit=3))
    assert (ids(file, "claude"), ids(file, "ollama")) == (["0", "2"], ["1"])


def test_only_what_is_named_is_asked(path: Path) -> None:
    """--only, given twice, in the order of the file."""
    assert ids(checked(path, lines("a", "b", "c"), Selection(only=frozenset({"c", "a"})))) == ["a", "c"]


def test_an_id_that_is_not_in_the_file_is_a_mistake_of_the_command(path: Path) -> None:
    """Exit 2 with the ids, all at once; nothing is asked."""
    with pytest.raises(UsageError, match=r"--only x, y: .* has no such item") as usage:
        checked(path, lines("a"), Selection(only=frozenset({"a", "y", "x"})))
    assert usage.value.exit_code is ExitCode.USAGE


def test_faults_come_before_a_misspelt_id(path: Path) -> None:
    """The id may well stand in the line that could not be read."""
    with pytest.raises(JobFileError):
        checked(path, b'{"id": "x"}\n', Selection(only=frozenset({"x"})))


@pytest.mark.parametrize("selection", [Selection(limit=1), Selection(only=frozenset({"b"}))])
def test_the_journal_is_asked_about_every_job(path: Path, selection: Selection) -> None:
    """What is finished is counted there, so a small selection must not make a finished night look unfinished."""
    asked: list[str] = []

    def notes(id: str, request: str) -> bool:
        asked.append(id)
        return id == "b"

    checked(path, lines("a", "b", "c", "d"), selection, is_pending=notes)
    assert asked == ["a", "b", "c", "d"]


# -- while the run goes on ---------------------------------------------------------------------------------------------


def test_a_line_that_changed_under_the_run_ends_it(path: Path) -> None:
    """What was checked is what is sent: the lines before come, then the error with file and line, exit 65."""
    file = checked(path, lines("a", "b", "c"))
    path.write_bytes(lines("a", "X", "c"))
    reading = file.jobs("claude")
    assert next(reading).id == "a"
    with pytest.raises(JobFileError, match=r":2: the file was changed.*run it again") as changed:
        next(reading)
    assert changed.value.exit_code is ExitCode.BAD_JOB_FILE


@pytest.mark.parametrize(
    "changed", [b"", lines("a"), b"\n" + lines("a", "b"), lines("a", "b", end=b"\r\n"), lines("a", "b").rstrip()]
)
def test_a_file_that_moved_under_the_run_ends_it(path: Path, changed: bytes) -> None:
    """Emptied, cut, shifted by a byte or with other line ends: no line is taken for another."""
    file = checked(path, lines("a", "b"))
    path.write_bytes(changed)
    with pytest.raises(JobFileError):
        list(file.jobs("claude"))


def test_lines_added_while_the_run_goes_on_wait_for_the_next(path: Path) -> None:
    """A program may append to tomorrow's jobs; today's are as they were."""
    file = checked(path, lines("a", "b"))
    with path.open("ab") as more:
        more.write(lines("c") + b"half a li")
    assert ids(file) == ["a", "b"]


def test_memory_grows_with_ids_and_not_with_text(path: Path) -> None:
    """20,000 lines of 2 KB: the check holds a small share of the 40 MB, and reading back holds one line."""
    prompt = json.dumps("x" * 2000).encode()
    with path.open("wb") as out:
        for number in range(20_000):
            out.write(b'{"id": "item-%06d", "prompt": %b}\n' % (number, prompt))
    tracemalloc.start()
    try:
        file = check_jobs(path, FLAGS, BACKENDS, everything)
        _, peak = tracemalloc.get_traced_memory()
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        assert sum(1 for _ in islice(file.jobs("claude"), 2000)) == 2000
        _, peak_of_reading = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak / 20_000 < 300
    assert held / 20_000 < 40
    assert peak_of_reading - held < 100_000


def test_what_has_only_to_be_delivered_is_noted_apart(path: Path) -> None:
    """No backend is asked for it, so that it needs none; of a limit it takes its share like the others."""
    path.write_bytes(lines("a", "b", "c", "d"))
    reading = Reading(is_kept=lambda id, request: id in "bd")
    found = check_jobs(path, FLAGS, BACKENDS, everything, Selection(limit=3), reading)
    assert [job.id for job in found.kept_jobs()] == ["b"]
    assert [job.id for job in found.jobs("claude")] == ["a", "c"]
    assert (found.pending_count, sum(volume.items for volume in found.volumes.values())) == (3, 2)
