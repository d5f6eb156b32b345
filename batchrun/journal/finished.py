"""Which jobs are finished, and the rule by which one record outranks another. No files here.

A million ids fit into 200 MB: an id is a key, all else about it are machine numbers in arrays.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from batchrun.journal.block import Block
from batchrun.journal.record import Checkpoint
from batchrun.outcome import Status

# After so many runs a transient failure is taken for the item's own: DESIGN's contract on `final`.
MAX_FAILED_RUNS = 3


class Standing(Enum):
    """What the journal says of a job."""

    PENDING = "pending"  # ask it
    FINISHED = "finished"  # leave it
    CHANGED = "changed"  # an answer is there, but to another request under the same id: `--changed` decides


@dataclass(frozen=True, slots=True)
class Finished:
    """The record that counts for an id; `result` is offset and length of its result line."""

    status: Status
    final: bool
    failed_runs: int
    result: tuple[int, int]


# What `_code` holds: all below _FINAL_FAILURE are answers. Found by the plain words too, for a Status is a str.
_STATUS = (Status.DONE, Status.INCOMPLETE, Status.REFUSED, Status.FAILED, Status.FAILED)
_DONE, _FINAL_FAILURE, _TRANSIENT_FAILURE = 0, 3, 4
_CODE_OF: dict[tuple[str, bool], int] = {
    (status, final): _STATUS.index(status) for status in Status for final in (True, False)
}
_CODE_OF[Status.FAILED, False] = _TRANSIENT_FAILURE
_FAILED_ONCE = bytes(code == _TRANSIENT_FAILURE for code in range(256))

Found = tuple[Standing, Status | None]
_UNKNOWN: Found = (Standing.PENDING, None)
_OVER: list[Found] = [(Standing.FINISHED, status) for status in _STATUS]
_TO_BE_ASKED: list[Found] = [(Standing.PENDING, status) for status in _STATUS]
_KEPT: list[Found] = [(Standing.CHANGED, status) for status in _STATUS]
_OTHER_REQUEST = _KEPT[:_FINAL_FAILURE] + _TO_BE_ASKED[_FINAL_FAILURE:]


def outranks(record: Checkpoint, other: Checkpoint) -> bool:
    """Whether `record` counts rather than `other` for the same id: an answer before a failure, else the newer one (C6).

    Newer is what stands later in results.jsonl: a checkpoint that was rebuilt stands at the end of its own file.
    """
    return (record.status is not Status.FAILED, record.result[0]) > (other.status is not Status.FAILED, other.result[0])


class FinishedIndex:
    """id -> what is on disk for it, for each request that was made under this id."""

    def __init__(self) -> None:
        self._slot_of: dict[str, int] = {}
        self._older: dict[int, int] = {}  # slot -> another slot of the same id, with another request; rare
        # Only this process compares them, so Python's own 64-bit hash of the fingerprint will do.
        self._request = array("q")
        self._code = array("B")
        self._failed_runs = array("B")
        self._offset = array("Q")
        self._length = array("Q")

    def __len__(self) -> int:
        return len(self._slot_of)

    def __contains__(self, id: str) -> bool:
        return id in self._slot_of

    def __repr__(self) -> str:
        return f"<FinishedIndex {len(self)} ids>"

    def add(self, id: str, request: str, status: str, final: bool, offset: int, length: int) -> None:
        """Take in one record; each only once, for failures are counted. Raises KeyError for a status that is none."""
        code = _CODE_OF[status, final]
        key = hash(request)
        new = len(self._code)
        slot = self._slot_of.setdefault(id, new)
        if slot != new:
            slot = self._slot_for(id, key)
        if slot == new:
            self._request.append(key)
            self._code.append(code)
            self._failed_runs.append(0)
            self._offset.append(offset)
            self._length.append(length)
        elif _rank(code, offset) > _rank(self._code[slot], self._offset[slot]):
            self._code[slot], self._offset[slot], self._length[slot] = code, offset, length
        if code == _TRANSIENT_FAILURE:
            self._failed_runs[slot] = min(self._failed_runs[slot] + 1, 255)

    def add_all(self, block: Block) -> None:
        """Take in many records at once."""
        first = len(self._code)
        slots = range(first, first + len(block.ids))
        taken = list(map(self._slot_of.setdefault, block.ids, slots))
        codes = bytes(map(_CODE_OF.__getitem__, block.endings))
        self._request.extend(map(hash, block.requests))
        self._code.frombytes(codes)
        self._failed_runs.frombytes(codes.translate(_FAILED_ONCE))
        self._offset.extend(block.offsets)
        self._length.extend(block.lengths)
        if taken != list(slots):
            # Ids that were here already: nothing leads to the slots that their records have just got.
            for record, slot, mine in zip(zip(*block[:5], strict=True), taken, slots, strict=True):
                if slot != mine:
                    id, request, (status, final), offset, length = record
                    self.add(id, request, status, final, offset, length)

    def is_finished(self, id: str, request: str) -> bool:
        """Whether this very request needs no asking."""
        slot = self._find(id, hash(request))
        return slot is not None and self._is_over(slot)

    def look_up(self, id: str, request: str) -> Found:
        """What is to be done about a job (C3), and how the record that counts for `id` ended, whatever its request;
        None where there is none. Of another request only an answer is worth keeping, a failure is not.

        A start asks this a million times: one call, and nothing made that is not asked for.
        """
        slot = self._slot_of.get(id)
        if slot is None:
            return _UNKNOWN
        if slot in self._older:
            return self._look_up_among(id, request)
        code = self._code[slot]
        if self._request[slot] != hash(request):
            return _OTHER_REQUEST[code]
        return _OVER[code] if code < _TRANSIENT_FAILURE or self._is_over(slot) else _TO_BE_ASKED[code]

    def not_done(self, ids: Sequence[str], requests: Sequence[str]) -> list[int]:
        """The places in these lists of the jobs that must be looked up; all others are finished and answered.

        A fifth of what `look_up` takes for each.
        """
        keys, codes, older = self._request, self._code, self._older
        found = zip(map(self._slot_of.get, ids), map(hash, requests), strict=True)
        return [
            place
            for place, (slot, key) in enumerate(found)
            if slot is None or keys[slot] != key or codes[slot] != _DONE or slot in older
        ]

    def place(self, id: str) -> int | None:
        """A number of this id alone, below `places`; None for an id that is not here. Good until the next record."""
        return self._slot_of.get(id)

    @property
    def places(self) -> int:
        return len(self._code)

    def failed_at(self, id: str, request: str) -> tuple[int, int] | None:
        """Where the result line of this very request stands, if it failed of something that may pass."""
        slot = self._find(id, hash(request))
        if slot is None or self._code[slot] != _TRANSIENT_FAILURE:
            return None
        return self._offset[slot], self._length[slot]

    def gives_up(self, id: str, request: str) -> bool:
        """Whether this very request has failed in so many runs, of something that may pass, that it is left alone."""
        slot = self._find(id, hash(request))
        return slot is not None and self._code[slot] == _TRANSIENT_FAILURE and self._is_over(slot)

    def entry(self, id: str) -> Finished | None:
        """The record that counts for `id`, whatever its request."""
        best = max(self._slots(id), key=lambda slot: _rank(self._code[slot], self._offset[slot]), default=None)
        if best is None:
            return None
        result = (self._offset[best], self._length[best])
        return Finished(_STATUS[self._code[best]], self._is_over(best), self._failed_runs[best], result)

    def _look_up_among(self, id: str, request: str) -> Found:
        best = max(self._slots(id), key=lambda slot: _rank(self._code[slot], self._offset[slot]))
        code = self._code[best]
        if self.is_finished(id, request):
            return _OVER[code]
        return _OTHER_REQUEST[code]  # an answer outranks all failures, so it is the best where there is one

    def _slots(self, id: str) -> Iterator[int]:
        slot = self._slot_of.get(id)
        while slot is not None:
            yield slot
            slot = self._older.get(slot)

    def _find(self, id: str, key: int) -> int | None:
        slot = self._slot_of.get(id)
        while slot is not None and self._request[slot] != key:
            slot = self._older.get(slot)
        return slot

    def _slot_for(self, id: str, key: int) -> int:
        """The slot of this request of a known id; the next new one where there is none yet."""
        slot = self._find(id, key)
        if slot is None:
            slot = len(self._code)
            self._older[slot] = self._slot_of[id]
            self._slot_of[id] = slot
        return slot

    def _is_over(self, slot: int) -> bool:
        return self._code[slot] < _TRANSIENT_FAILURE or self._failed_runs[slot] >= MAX_FAILED_RUNS


def _rank(code: int, offset: int) -> tuple[bool, int]:
    return code < _FINAL_FAILURE, offset
