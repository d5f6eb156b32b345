"""Holds a crashed state to the promise: the real recovery starts on it, and the bytes that it leaves are judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from batchrun.journal.finished import FinishedIndex
from batchrun.journal.record import encode_result
from batchrun.journal.recovery import recover
from batchrun.journal.state import StateDir
from batchrun.outcome import Outcome, Status
from tests.journal.builders import HEADER, append, close, outcome
from tests.journal.crash.evidence import Evidence, evidence_of
from tests.journal.crash.files import lay_down, read_back
from tests.journal.disks import DiskInMemory

RESULTS, CHECKPOINT = "results.jsonl", "checkpoint.jsonl"
NEXT = outcome("next")
NEXT_LINE = encode_result(NEXT)
# What a start says each time, for as long as the damage is there.
STANDING = "they stay where they are"


@dataclass(frozen=True, slots=True)
class Crashed:
    """Files by name, the result lines that had been told to be finished, and all that the journal was given."""

    files: Mapping[str, bytes]
    told: frozenset[bytes]
    handed: Mapping[bytes, Outcome]


class Inspector:
    """Starts on crashed states, one after the other, in the state directory below `place`."""

    def __init__(self, place: Path) -> None:
        self.state = StateDir(place / "jobs.batchrun")
        self.state.path.mkdir(parents=True)
        self._disk = DiskInMemory()
        self._continued: set[int] = set()

    def violations(self, crashed: Crashed) -> list[str]:
        """What the promise was broken by; empty where it was kept."""
        lay_down(self.state.path, crashed.files)
        try:
            recovered = recover(self.state, HEADER, self._disk)
        except Exception as exc:  # noqa: BLE001 - whatever it is, the night is over
            return [f"does not start: {exc!r}"]
        try:
            after = read_back(self.state.path)
            evidence = evidence_of(after[RESULTS], after[CHECKPOINT])
            found = [
                *_judged(evidence, crashed),
                *_judged_index(recovered.finished, evidence, crashed.handed),
                *_unaccounted(crashed.files, after, recovered.notices),
            ]
            # Many crashed states become the same one, and from there on all goes the same way.
            key = hash((after[RESULTS], after[CHECKPOINT]))
            is_new = key not in self._continued
            if is_new and not found:
                self._continued.add(key)
                append(recovered, NEXT)
        finally:
            close(recovered)
        return found if found or not is_new else self._continuation(crashed, evidence)

    def _continuation(self, crashed: Crashed, before: Evidence) -> list[str]:
        """The next record was appended: it is readable, and so is all before it; another start changes nothing."""
        whole = read_back(self.state.path)
        recovered = recover(self.state, HEADER, self._disk)
        close(recovered)
        after = read_back(self.state.path)
        evidence = evidence_of(after[RESULTS], after[CHECKPOINT])
        said = [notice for notice in recovered.notices if STANDING not in notice]
        found = [f"a second start says: {notice}" for notice in said]
        if after != whole:
            found.append("a second start changes the files")
        if evidence.lines != (*before.lines, NEXT_LINE):
            found.append("after the next record others are found than before it")
        handed = {**crashed.handed, NEXT_LINE: NEXT}
        return [*found, *evidence.faults, *_judged_index(recovered.finished, evidence, handed)]


def _judged(evidence: Evidence, crashed: Crashed) -> Iterable[str]:
    yield from evidence.faults
    for line, times in Counter(evidence.lines).items():
        if line not in crashed.handed:
            yield f"nobody gave this answer: {line[:60]!r}"
        if times > 1:
            yield f"counted {times} times: {line[:60]!r}"
    for line in crashed.told.difference(evidence.lines):
        yield f"told to be finished, and lost: {line[:60]!r}"


def _judged_index(index: FinishedIndex, evidence: Evidence, handed: Mapping[bytes, Outcome]) -> Iterable[str]:
    """What a run would skip and count is what stands in the files."""
    outcomes = [handed[line] for line in evidence.lines if line in handed]
    failures = Counter(each.id for each in outcomes if each.status is Status.FAILED)
    for each in outcomes:
        is_answer = each.status is not Status.FAILED
        if is_answer and not index.is_finished(each.id, each.request):
            yield f"{each.id} would be asked again"
        entry = index.entry(each.id)
        if entry is None or entry.failed_runs != failures[each.id]:
            yield f"the failures of {each.id} are miscounted"
    if len(index) != len({each.id for each in outcomes}):
        yield "the index holds others than the files"


def _unaccounted(before: Mapping[str, bytes], after: Mapping[str, bytes], notices: list[str]) -> Iterable[str]:
    """Whatever is no longer in its file is kept beside it, and said."""
    for name in (RESULTS, CHECKPOINT):
        old, new = before.get(name, b""), after[name]
        if new.startswith(old):
            continue
        kept = b"".join(data for aside, data in sorted(after.items()) if aside.startswith(f"{name}.bad-"))
        if not all(_is_kept(piece, new, kept) for piece in old.split(b"\n")):
            yield f"bytes of {name} are gone"
        if not any(notice.startswith(name) for notice in notices):
            yield f"nothing is said of what became of {name}"


def _is_kept(piece: bytes, new: bytes, kept: bytes) -> bool:
    if piece in new or piece in kept:
        return True
    # A record was taken out of a damaged line: what stood round it is to be found beside the file.
    for line in filter(None, new.split(b"\n")):
        piece = piece.replace(line, b"\n")
    return all(rest in kept for rest in piece.split(b"\n"))
