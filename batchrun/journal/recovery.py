"""What a start does to the files before it appends: refuse what is not ours, mend what is damaged, adopt what was paid.

Under the lock only. Each step leaves a state from which it can be begun again, so a start may be killed anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from batchrun.errors import JournalError
from batchrun.journal.disk import DISK, Disk
from batchrun.journal.finished import FinishedIndex
from batchrun.journal.log import Log, trouble
from batchrun.journal.mend import cut_tail, ends_whole, rebuild, renew_if_distrusted
from batchrun.journal.record import (
    BadLine,
    Checkpoint,
    Header,
    Kind,
    checkpoint_from_result,
    checkpoint_line,
    decode_header,
    encode_header,
    is_header,
    is_sealed,
    magic,
    parse,
)
from batchrun.journal.scan import scan
from batchrun.journal.state import StateDir
from batchrun.journal.survey import Stretches, Survey

_HEAD = 1 << 16  # a header is some 200 bytes
_ADOPTED_AT_ONCE = 1_000  # lines; a lost checkpoint.jsonl is rebuilt in bounded memory


@dataclass(frozen=True, slots=True)
class Recovered:
    """Both files, whole, durable and open for the next line. `notices` are sentences for the operator."""

    results: Log
    checkpoints: Log
    finished: FinishedIndex
    notices: list[str] = field(default_factory=list)


def recover(state: StateDir, header: Header, disk: Disk = DISK) -> Recovered:
    """Make the files of `state` ready for appending; new ones begin with `header`, and so do those without a record
    that were begun for the other kind of answers.

    Raises JournalError for a foreign file, and where the disk refuses.
    """
    recovered = _mended(state, header, disk)
    # What was ever taken out of a file may have been an answer.
    if any(state.path.glob("*.bad-*")) or not _is_to_be_begun_anew(recovered, header):
        return recovered
    with closing(recovered.results), closing(recovered.checkpoints):
        # Killed between the two, the next start finds no record either, and does the same for what it wants itself.
        for path, kind in _begun_as(state):
            rebuild(path, encode_header(kind, header), (), disk)
    anew = _mended(state, header, disk)
    return replace(anew, notices=recovered.notices + anew.notices)


def _begun_as(state: StateDir) -> tuple[tuple[Path, Kind], ...]:
    return (state.results, Kind.RESULTS), (state.checkpoint, Kind.CHECKPOINT)


def _is_to_be_begun_anew(recovered: Recovered, header: Header) -> bool:
    """Whether neither file holds more than a header, and one says the other kind of answers: nothing can be mixed."""
    logs = (recovered.results, Kind.RESULTS), (recovered.checkpoints, Kind.CHECKPOINT)
    heads = [_lone_header(log, kind) for log, kind in logs]
    return None not in heads and any(head is not None and head.simulated != header.simulated for head in heads)


def _lone_header(log: Log, kind: Kind) -> Header | None:
    """The header of a file that holds nothing else, not even damage; None of any other."""
    header = _header_of(log.path, kind)
    return header if header is not None and log.size == len(encode_header(kind, header)) else None


def _mended(state: StateDir, header: Header, disk: Disk) -> Recovered:
    notices: list[str] = []
    # The state was begun by whoever began one of its files: a lost header comes back from the other one.
    for path, kind in _begun_as(state):
        header = _header_of(path, kind) or header
    for path in (state.results, state.checkpoint, state.runs):
        if renew_if_distrusted(path, disk):
            notices.append(f"{path.name}: written anew, because an fsync of it had failed")
    survey = _survey(state, header, disk, notices)
    with ExitStack() as opened:
        results = opened.enter_context(closing(Log.open(state.results, disk)))
        checkpoints = opened.enter_context(closing(Log.open(state.checkpoint, disk)))
        # What a killed run left in the page cache is about to be relied on: durable first (C5).
        results.sync()
        _end_whole(checkpoints, survey.damage.tail, disk, notices)
        _begin(checkpoints, Kind.CHECKPOINT, header)
        damage = _adopt(survey, results, checkpoints, notices)
        _end_whole(results, damage.tail, disk, notices)
        _begin(results, Kind.RESULTS, header)
        opened.pop_all()
    return Recovered(results, checkpoints, survey.finished, notices)


def _header_of(path: Path, kind: Kind) -> Header | None:
    """Who began the file; None where it is not there, or its header is damaged: it is ours as long as anything else is.

    Raises JournalError where the file is somebody else's.
    """
    try:
        if not path.exists():
            return None
        with path.open("rb") as file:
            head = file.readline(_HEAD)
        if is_sealed(head) and is_header(head):
            return decode_header(head, kind)
        # A header that a power cut tore, or turned into NULs anywhere: what stands before them tells whose it is, and
        # nobody else's lines begin with one.
        written = head.partition(b"\0")[0]
        if written.startswith(magic(kind)) or magic(kind).startswith(written):
            return None
        if any(is_sound for _, _, is_sound in scan(path)):
            return None
    except BadLine as exc:
        raise _foreign(path, str(exc)) from exc
    except OSError as exc:
        raise trouble(path, "read it", exc) from exc
    raise _foreign(path, "no line in it is ours")


def _foreign(path: Path, why: str) -> JournalError:
    return JournalError(
        f"{path}: not a file of this batchrun ({why}), and it was left untouched; "
        "move it away or give another place with --state DIR"
    )


def _survey(state: StateDir, header: Header, disk: Disk, notices: list[str]) -> Survey:
    """What checkpoint.jsonl holds; where more than its end is damaged it is rebuilt before."""
    try:
        survey = _surveyed(state)
        if survey.needs_rebuilding or not survey.vouches_for_newest():
            _rebuild(state, survey.header or encode_header(Kind.CHECKPOINT, header), disk, notices)
            survey = _surveyed(state)  # the new file is taken on no other terms than any file
        return survey
    except OSError as exc:
        raise trouble(state.checkpoint, "read it", exc) from exc


def _surveyed(state: StateDir) -> Survey:
    survey = Survey(state)
    survey.read()
    return survey


def _rebuild(state: StateDir, first: bytes, disk: Disk, notices: list[str]) -> None:
    thorough = Survey(state, is_thorough=True)
    # A second header is none of ours to throw away.
    records = ((data, counts and not is_header(data)) for data, counts in thorough.pieces() if data != first)
    aside = rebuild(state.checkpoint, first, records, disk)
    rejected = thorough.rejected
    lost = f"; {rejected} of its records have no valid result: those items are asked again" if rejected else ""
    kept = f"; {aside.size} bytes that do not count are kept in {aside.path.name}" if aside.path else ""
    notices.append(f"{state.checkpoint.name}: was damaged and has been rebuilt{lost}{kept}")


def _end_whole(log: Log, tail: int, disk: Disk, notices: list[str]) -> None:
    """Cut off what is torn, from `tail` on, so that the next line begins a line (C7)."""
    size = log.size - tail
    if kept := cut_tail(log, tail, disk):
        notices.append(f"{log.path.name}: a torn end of {size} bytes was cut off and is kept in {kept.name}")
    if not ends_whole(log):
        # A record whose newline was the first of the torn bytes: it counts (C8), and gets its newline back.
        log.append(b"\n")


def _begin(log: Log, kind: Kind, header: Header) -> None:
    """Give an empty file its header (C2), and make durable what stands there."""
    if log.size == 0:
        log.append(encode_header(kind, header))
    log.sync()


def _adopt(survey: Survey, results: Log, checkpoints: Log, notices: list[str]) -> Stretches:
    """Write a checkpoint for each result that lacks one: it is paid (C6). Returns what is damaged in results.jsonl."""
    damage = Stretches(results.size)
    waiting: list[bytes] = []
    adopted = 0
    for orphan in _orphans(survey, results, damage):
        offset, length = orphan.result
        survey.finished.add(orphan.id, orphan.request, orphan.status, orphan.final, offset, length)
        waiting.append(checkpoint_line(orphan))
        adopted += 1
        if len(waiting) == _ADOPTED_AT_ONCE:
            checkpoints.append(b"".join(waiting))
            waiting.clear()
    if adopted:
        checkpoints.append(b"".join(waiting))
        checkpoints.sync()
        notices.append(f"{results.path.name}: {adopted} answers without a checkpoint were adopted")
    if middle := damage.in_the_middle:
        size = sum(end - start for start, end in middle)
        notices.append(
            f"{results.path.name}: {size} damaged bytes in {len(middle)} places, the first at offset {middle[0][0]}; "
            "they stay where they are, and what they held is asked again"
        )
    return damage


def _orphans(survey: Survey, results: Log, damage: Stretches) -> Iterator[Checkpoint]:
    """The results that no checkpoint claims; what is no result is noted in `damage`."""
    try:
        for start, end in survey.claims.holes(results.size):
            for offset, data, is_sound in scan(results.path, start, None if end == results.size else end):
                if orphan := _rebuilt(data, offset) if is_sound else None:
                    yield orphan
                elif data != b"\n" and not (is_sound and is_header(data)):
                    # A newline alone was given back to the record before it, whose checkpoint knows it without.
                    damage.note(offset, len(data))
    except OSError as exc:
        raise trouble(results.path, "read it", exc) from exc


def _rebuilt(line: bytes, offset: int) -> Checkpoint | None:
    try:
        return checkpoint_from_result(parse(line), offset, len(line))
    except BadLine:
        return None
