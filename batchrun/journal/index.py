"""Which state directories this machine has seen, so that `status` and `report` need no argument.

A convenience: nothing is lost with it, so no trouble here is ever an error.
"""

from __future__ import annotations

import hashlib
import os
import pwd
from collections.abc import Iterator
from pathlib import Path

from batchrun.journal.disk import DISK, Disk, replace_whole
from batchrun.journal.state import StateDir


def remember(state: StateDir, disk: Disk = DISK) -> str | None:
    """Note that a run of `state` starts now. Returns why it could not be noted, None where it was."""
    index = _index()
    if index is None:
        return "cannot note this run for `batchrun status`: there is no home directory; name the job file there"
    path = os.fsencode(state.path.absolute())
    # One small file a directory, named by a hash: a path is no file name, and runs that start at once share nothing.
    note = index / hashlib.sha256(path).hexdigest()[:16]
    draft = note.with_name(f"{note.name}.{os.getpid()}")
    try:
        index.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_whole(disk, draft, note, path)
    except OSError as exc:
        return f"cannot note this run for `batchrun status`: {index}: {exc.strerror}; name the job file there"
    return None


def newest(cwd: Path) -> StateDir | None:
    """The state directory whose run started last, by the index; else the newest `*.batchrun` in `cwd`."""
    index = _index()
    known = [] if index is None else list(_noted(index))
    if not known:
        known = [(_changed(path), StateDir(path)) for path in cwd.glob("*.batchrun") if path.is_dir()]
    return max(known, key=lambda found: found[0], default=(0.0, None))[1]


def _index() -> Path | None:
    home = Path(os.environ.get("XDG_STATE_HOME", ""))
    if home.is_absolute():  # the XDG specification: a relative one is to be ignored
        return home / "batchrun"
    try:
        # Not $HOME: sudo and cron set it to what they like.
        return Path(pwd.getpwuid(os.getuid()).pw_dir) / ".local" / "state" / "batchrun"
    except KeyError:
        return None  # a container may run under an id that no account has


def _noted(index: Path) -> Iterator[tuple[float, StateDir]]:
    try:
        notes = [note for note in index.iterdir() if not note.suffix]
    except OSError:
        return
    for note in notes:
        try:
            path = Path(os.fsdecode(note.read_bytes()))
            noted = note.stat().st_mtime
            # What was deleted, or lies on a disk that is not there today, is no run to tell of.
            if path.is_absolute() and path.is_dir():
                yield noted, StateDir(path)
        except (OSError, ValueError):
            continue


def _changed(path: Path) -> float:
    state = StateDir(path)
    return max((file.stat().st_mtime for file in (state.runs, state.checkpoint) if file.exists()), default=0.0)
