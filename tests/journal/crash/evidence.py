"""What the two files of a state say, read from their bytes alone: none of the journal's own code is believed here."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import orjson

from batchrun.journal.state import StateDir

_SEAL = b',"crc":"'


@dataclass(frozen=True, slots=True)
class Evidence:
    """The result lines that have a checkpoint, in the order of the checkpoints; and what is wrong with the files."""

    lines: tuple[bytes, ...]
    faults: tuple[str, ...]


def evidence_of(results: bytes, checkpoint: bytes) -> Evidence:
    """By docs/format.md, as somebody else's program would read it."""
    header, *records = checkpoint.split(b"\n")[:-1] or [b""]
    faults = []
    if not checkpoint.endswith(b"\n") or not results.endswith(b"\n"):
        faults.append("a file does not end in a newline")
    for kind, first in ((b"checkpoint", header), (b"results", results.partition(b"\n")[0])):
        if not first.startswith(b'{"batchrun":"%s",' % kind) or not _is_sealed(first):
            faults.append(f"{kind.decode()}.jsonl has no header")
    lines = []
    for record in records:
        if not _is_sealed(record) or record.startswith(b'{"batchrun":'):
            faults.append(f"no record: {record[:40]!r}")
            continue
        offset, length = orjson.loads(record)["result"]
        # One that was salvaged from a damaged line may have lost its newline.
        line = results[offset : offset + length].removesuffix(b"\n")
        if not _is_sealed(line):
            faults.append(f"a checkpoint points to no line: {record[:40]!r}")
        lines.append(line + b"\n")
    return Evidence(tuple(lines), tuple(faults))


def told_lines(state: StateDir) -> frozenset[bytes]:
    """The result lines that a run takes for finished once it has started."""
    return frozenset(evidence_of(state.results.read_bytes(), state.checkpoint.read_bytes()).lines)


def _is_sealed(line: bytes) -> bool:
    body, _, seal = line.rpartition(_SEAL)
    return seal == b'%08x"}' % zlib.crc32(body)
