"""Notes save a start the checking of a file that is still the same, and are never believed against it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrun.errors import JobFileError, UsageError
from batchrun.jobs.job import BackendSpeech, RequestFlags
from batchrun.jobs.notes import NoteTaker
from batchrun.jobs.opening import BOM
from batchrun.jobs.reader import JobFile, Reading, Selection, check_jobs
from batchrun.providers.provider import Wire
from tests.jobs.lines import ALL, BACKENDS, FLAGS, encoded, everything, simple


class Journal:
    """Knows which ids are finished, and remembers whether it was asked line by line or by the notes."""

    def __init__(self, *finished: str) -> None:
        self._finished = finished
        self.has_recalled = False

    def is_pending(self, id: str, request: str) -> bool:
        return id not in self._finished

    def pending_among(self, ids: Sequence[str], requests: Sequence[str]) -> list[int]:
        self.has_recalled = True
        return [place for place, id in enumerate(ids) if id not in self._finished]


def lines(*names: str, prompt: str = "Say a word.") -> bytes:
    return b"".join(encoded(simple(id=name, prompt=prompt)) + b"\n" for name in names)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "jobs.jsonl"
    path.write_bytes(BOM + lines("a", "b") + b"\n" + lines("c", 'ä\u2028"\\'))
    return path


def notes_of(path: Path) -> Path:
    return path.with_suffix(".batchrun") / "checked.jsonl"


def check(path: Path, journal: Journal, selection: Selection = ALL, flags: RequestFlags = FLAGS) -> JobFile:
    reading = Reading(pending_among=journal.pending_among, notes=notes_of(path), worth_noting=0)
    return check_jobs(path, flags, BACKENDS, journal.is_pending, selection, reading)


def told(file: JobFile) -> tuple[object, ...]:
    """All that a check says."""
    pending = {name: (list(x.offsets), list(x.numbers), list(x.checksums)) for name, x in file.pending.items()}
    jobs = [list(file.jobs(name)) for name in file.pending]
    return file.sha256, file.total, pending, jobs, file.models, file.volumes


def is_recalled(path: Path, flags: RequestFlags = FLAGS) -> bool:
    journal = Journal()
    check(path, journal, flags=flags)
    return journal.has_recalled


@pytest.mark.parametrize("finished", [(), ("a", "c"), ("a", "b", "c", 'ä\u2028"\\')])
def test_a_file_that_is_the_same_is_recalled(path: Path, finished: tuple[str, ...]) -> None:
    """What is pending, where it stands, and all counts, as if every line had been checked."""
    first, again = Journal(*finished), Journal(*finished)
    checked, recalled = told(check(path, first)), told(check(path, again))
    assert (first.has_recalled, again.has_recalled) == (False, True)
    assert recalled == checked


@given(
    names=st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), unique=True, min_size=1, max_size=8),
    ends=st.lists(st.sampled_from([b"\n", b"\r\n", b"\n\n", b" \r\n \n"]), min_size=8, max_size=8),
    bom=st.booleans(),
    limit=st.one_of(st.none(), st.integers(1, 3)),
    data=st.data(),
)
def test_any_file_is_recalled_as_it_was_checked(
    tmp_path_factory: pytest.TempPathFactory,
    names: list[str],
    ends: list[bytes],
    bom: bool,
    limit: int | None,
    data: st.DataObject,
) -> None:
    """For any ids, line ends and selection, and whatever is finished."""
    path = tmp_path_factory.mktemp("any") / "jobs.jsonl"
    path.write_bytes(BOM * bom + b"".join(lines(name)[:-1] + end for name, end in zip(names, ends, strict=False)))
    finished = data.draw(st.lists(st.sampled_from(names)))
    selection = Selection(limit, frozenset(data.draw(st.lists(st.sampled_from(names)))))
    again = Journal(*finished)
    checked = told(check(path, Journal(*finished), selection))
    assert told(check(path, again, selection)) == checked
    assert again.has_recalled


def test_more_lines_than_go_into_one_note_are_recalled(tmp_path: Path) -> None:
    """The last of them is pending."""
    path, names = tmp_path / "jobs.jsonl", [f"item-{number}" for number in range(4200)]
    path.write_bytes(lines(*names))
    check(path, Journal(*names[:-1]))
    again = Journal(*names[:-1])
    file = check(path, again)
    assert (again.has_recalled, file.total, [job.id for job in file.jobs("claude")]) == (True, 4200, names[-1:])


def test_a_file_that_changed_is_checked_again(path: Path) -> None:
    """Another byte in a file of the same length and time; and then these notes are the ones that count."""
    check(path, Journal())
    before = path.stat()
    path.write_bytes(path.read_bytes().replace(b"word", b"Word"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not is_recalled(path)
    assert is_recalled(path)


def test_another_way_of_reading_is_checked_again(path: Path) -> None:
    """Flags and backends make other fingerprints of the same lines; a stop rule that nobody looks at is never wrong."""
    check(path, Journal())
    assert not is_recalled(path, RequestFlags(model="m"))
    assert is_recalled(path, RequestFlags(model="m"))
    journal = Journal()
    reading = Reading(pending_among=journal.pending_among, notes=notes_of(path), worth_noting=0)
    for backends, by_rule in (
        (BACKENDS | {"ollama": BackendSpeech("ollama", Wire.CHAT, "llama3.2")}, reading),
        (BACKENDS, replace(reading, check_stop_when=lambda rule: None)),
    ):
        check_jobs(path, RequestFlags(model="m"), backends, everything, ALL, by_rule)
        assert not journal.has_recalled


def test_damaged_notes_are_passed_over(path: Path) -> None:
    """Cut anywhere, or with a changed byte anywhere: the check says what it says without notes."""
    path.write_bytes(lines("a"))
    fresh = told(check(path, Journal("b")))
    whole = notes_of(path).read_bytes()
    changed = [whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :] for place in range(len(whole))]
    for damaged in (*changed, *(whole[:cut] for cut in range(0, len(whole) - 1, 7)), bytes(len(whole))):
        notes_of(path).write_bytes(damaged)
        journal = Journal("b")
        assert told(check(path, journal)) == fresh
        assert not journal.has_recalled


def test_a_line_that_changes_after_the_look_at_the_notes_ends_the_run(path: Path) -> None:
    """Its fingerprint is no longer the one that was looked up; the same with a line that is none any more."""
    for changed in (lines("a", "b", prompt="Say 2 words"), b"not json\n" * 20):
        check(path, Journal())

        class JournalAtWhichTheFileIsEdited(Journal):
            def pending_among(self, ids: Sequence[str], requests: Sequence[str]) -> list[int]:
                path.write_bytes(BOM + changed)  # noqa: B023 - called within this turn
                return super().pending_among(ids, requests)

        before = path.read_bytes()
        with pytest.raises(JobFileError, match=r":1: the file was changed while the run was reading it"):
            check(path, JournalAtWhichTheFileIsEdited())
        path.write_bytes(before)


def test_a_file_at_fault_leaves_no_notes(path: Path) -> None:
    """Nor a directory that was made for them; a mistake of the command leaves none either."""
    path.write_bytes(lines("a", "a"))
    with pytest.raises(JobFileError):
        check(path, Journal())
    path.write_bytes(lines("a"))
    with pytest.raises(UsageError):
        check(path, Journal(), Selection(only=frozenset({"x"})))
    assert not notes_of(path).parent.exists()


def test_a_file_at_fault_leaves_earlier_notes(path: Path) -> None:
    """Mended back, the file is recalled; no draft is left."""
    check(path, Journal())
    good = path.read_bytes()
    path.write_bytes(good + b"x\n")
    with pytest.raises(JobFileError):
        check(path, Journal())
    path.write_bytes(good)
    assert is_recalled(path)
    assert [file.name for file in notes_of(path).parent.iterdir()] == ["checked.jsonl"]


def test_an_id_that_is_not_there_is_told_from_the_notes_too(path: Path) -> None:
    """Exit 2, as at the first look."""
    check(path, Journal())
    with pytest.raises(UsageError, match="--only x"):
        check(path, Journal(), Selection(only=frozenset({"a", "x"})))


def test_small_files_are_not_noted(path: Path) -> None:
    """Checking them is as quick, and a state has enough files."""
    check_jobs(path, FLAGS, BACKENDS, everything, ALL, Reading(notes=notes_of(path)))
    assert not notes_of(path).parent.exists()


def test_notes_that_cannot_be_written_are_no_error(path: Path) -> None:
    """A file where the directory belongs; a full disk."""
    notes_of(path).parent.write_bytes(b"")
    assert check(path, Journal()).total == 4
    taker = NoteTaker(Path("/dev/full/checked.jsonl"))
    taker.note(0, 1, "a", "0" * 16)
    taker.drop()


def test_notes_are_their_owners_alone(path: Path) -> None:
    """They hold ids."""
    check(path, Journal())
    assert notes_of(path).stat().st_mode & 0o777 == 0o600
    assert notes_of(path).parent.stat().st_mode & 0o777 == 0o700
