"""status.json, which a run replaces and everyone may read: one whole object, never the truth. The log is that."""

from __future__ import annotations

from typing import Any

from batchrun.journal.disk import DISK, Disk, replace_whole
from batchrun.journal.record import BadLine, parse, to_json
from batchrun.journal.state import StateDir


def write_snapshot(state: StateDir, snapshot: dict[str, Any], disk: Disk = DISK) -> str | None:
    """Replace status.json. The caller holds the lock. Returns why it could not be written, None where it was.

    Not made durable: after a power cut the next run writes another within seconds, and an fsync each time would wake
    the disk all night. Nor is a failure an error: no answer depends on it, and a disk that stays full stops the run
    at its next commit.
    """
    draft = state.status.with_name(state.status.name + ".new")
    try:
        replace_whole(disk, draft, state.status, to_json(snapshot) + b"\n")
    except OSError as exc:
        return f"{state.status}: cannot write it: {exc.strerror}"
    return None


def read_snapshot(state: StateDir) -> dict[str, Any] | None:
    """The last snapshot; None where there is none that can be read."""
    try:
        return parse(state.status.read_bytes())
    except (OSError, BadLine):
        return None
