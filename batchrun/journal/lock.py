"""Who is writing: one run at a time, and everyone else can tell which (C14).

The flock is the lock; what stands in the file only tells of it. Readers go by what stands there and never try the lock,
for a run that starts at that moment would find it taken (C15).
"""

from __future__ import annotations

import fcntl
import os
import socket
import sys
import weakref
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from batchrun.errors import LockHeldError, StateError
from batchrun.journal.log import remedy_for
from batchrun.journal.record import to_json
from batchrun.journal.state import StateDir

_LOCKS = Path("/proc/locks")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# A pid that is given out again within this time of its owner's start would be mistaken for it; no kernel does that.
_SAME_START_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that holds a lock, or held it when it was killed.

    `process_start` is in seconds: after the boot where the kernel tells that, else after the epoch. `boot_id` is None
    where the kernel has none. `started` is UTC, RFC 3339.
    """

    pid: int
    process_start: float | None
    host: str
    boot_id: str | None
    started: str


class Lock:
    """Held from `take` to `release`, or to the end of the process, however that comes."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        _HELD.add(self)

    def __repr__(self) -> str:
        return f"<Lock {'held' if self._fd >= 0 else 'released'}>"

    @classmethod
    def take(cls, state: StateDir) -> Lock:
        """The lock of `state`, whose directory exists. Waits for nobody.

        Raises LockHeldError where another run has it, StateError where the file cannot be made.
        """
        try:
            fd = os.open(state.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise _refused(state, exc) from exc
        line = _holder_line()  # made before, so that the lock is nameless for no longer than a write takes
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _write_holder(fd, line)
        except BlockingIOError as exc:
            message = _held_message(state, os.fstat(fd))
            os.close(fd)
            raise LockHeldError(message) from exc
        except OSError as exc:
            os.close(fd)
            raise _refused(state, exc) from exc
        return cls(fd)

    def release(self) -> None:
        """Give it back; more than once is fine. The file stays: deleting it would let two runs hold two locks."""
        if self._fd < 0:
            return
        # Emptied first, so that an end in order can be told from a kill on every host that sees the file.
        with suppress(OSError):
            os.ftruncate(self._fd, 0)
        self.abandon()

    def abandon(self) -> None:
        """Close this process's hold and leave the file as it is."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


_HELD: weakref.WeakSet[Lock] = weakref.WeakSet()


def _abandon_all() -> None:
    for lock in list(_HELD):
        lock.abandon()


# A child that is forked without exec shares the lock, and would hold it after its parent's death.
os.register_at_fork(after_in_child=_abandon_all)


def read_holder(state: StateDir) -> Holder | None:
    """Who holds the lock or was killed holding it; None where nobody does. Whether it lives: `is_running`."""
    try:
        fields: dict[str, Any] = orjson.loads(state.lock.read_bytes().partition(b"\n")[0])
        return Holder(**fields)
    except (OSError, ValueError, TypeError):
        return None


def is_running(holder: Holder) -> bool:
    """Whether that very process lives. On another host this cannot be seen: there it is believed."""
    if holder.host != socket.gethostname():
        return True
    if holder.boot_id != _boot_id():
        return False
    start = _process_start(holder.pid)
    if start is None or holder.process_start is None:
        return False
    return abs(start - holder.process_start) < _SAME_START_SECONDS


def _refused(state: StateDir, exc: OSError) -> StateError:
    return StateError(
        f"{state.lock}: cannot take the lock: {exc.strerror}; {remedy_for(exc)}, or give another place with --state DIR"
    )


def _held_message(state: StateDir, lock: os.stat_result) -> str:
    holder = read_holder(state)
    how = "`batchrun status` tells how it goes"
    # Between its flock and its first write a new holder has no name yet, and the file may still name a dead one.
    if holder is None or not is_running(holder):
        pid = _flock_pid(lock)
        who = f" (pid {pid} on {socket.gethostname()})" if pid else ""
        return f"{state.path}: another run is just starting here{who}; {how}"
    return f"{state.path}: another run works here: pid {holder.pid} on {holder.host}, since {holder.started}; {how}"


def _flock_pid(lock: os.stat_result) -> int | None:
    """Who has the flock by the kernel's own list; None where it has none, or the holder is on another host."""
    device = f"{os.major(lock.st_dev):02x}:{os.minor(lock.st_dev):02x}:{lock.st_ino}"
    try:
        locks = [line.split() for line in _LOCKS.read_text().splitlines()]
    except OSError:
        return None
    return next((int(fields[4]) for fields in locks if fields[1] == "FLOCK" and fields[5] == device), None)


def _holder_line() -> bytes:
    started = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    holder = Holder(os.getpid(), _process_start(os.getpid()), socket.gethostname(), _boot_id(), started)
    return to_json(asdict(holder)) + b"\n"


def _write_holder(fd: int, line: bytes) -> None:
    # Written over what is there and cut then: a reader finds a whole first line at any moment.
    written = 0
    while written < len(line):
        written += os.pwrite(fd, line[written:], written)
    os.ftruncate(fd, len(line))


def _boot_id() -> str | None:
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return None  # there starts are counted from the epoch, and no two boots share one


if sys.platform == "linux":

    def _process_start(pid: int) -> float | None:
        """Seconds from the boot to the start of the process; None where it does not live. psutil would count from the
        epoch, by a boot time that moves whenever the clock is set.
        """
        try:
            # The name in brackets may hold anything, brackets too.
            fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        except OSError:
            return None
        is_dead = fields[0] in (b"Z", b"X")
        return None if is_dead else int(fields[19]) / os.sysconf("SC_CLK_TCK")

else:
    import psutil  # 20 ms that `status` does not pay where /proc tells

    def _process_start(pid: int) -> float | None:
        """Seconds from the epoch to the start of the process; None where it does not live."""
        try:
            process = psutil.Process(pid)
            return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
        except psutil.Error:
            return None
