"""The calls by which this process changes a disk, counted; one of them is the last, or goes wrong.

For a process that is there to be killed: the functions of `os` stay wrapped until its end.
"""

from __future__ import annotations

import errno
import itertools
import os
import signal
from collections.abc import Callable
from typing import Any, NoReturn

WRITES = ("write", "pwrite")
CALLS = (*WRITES, "fdatasync", "fsync", "ftruncate", "replace", "open", "unlink", "mkdir")

KILLS = ("killed before", "killed after")
FAILURES = ("EIO", "ENOSPC")
# Only a write has a middle. "takes less" is no error; "full from here" is one at the next write, and at each after it.
IN_THE_MIDDLE = ("killed in the middle", "takes less", "full from here")


def ways(name: str) -> tuple[str, ...]:
    """What may become of a call with this name."""
    return (*KILLS, *FAILURES, *(IN_THE_MIDDLE if name in WRITES else ()))


class Fault:
    """Call number `number`, counted from 0 over all names, goes as `how` says; None: none does. `seen` names them."""

    def __init__(self, number: int | None, how: str) -> None:
        self.seen: list[str] = []
        self._number = number
        self._how = how
        self._count = itertools.count()
        self._is_full = False

    def install(self) -> None:
        for name in CALLS:
            setattr(os, name, self._wrapped(name, getattr(os, name)))

    def _wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            self.seen.append(name)
            if self._is_full and name in WRITES:
                _fail(errno.ENOSPC)
            has_no_middle = self._how in IN_THE_MIDDLE and name not in WRITES
            if next(self._count) != self._number or has_no_middle:
                return real(*args, **options)
            return self._spoil(real, *args, **options)

        return call

    def _spoil(self, real: Callable[..., Any], *args: Any, **options: Any) -> Any:
        if self._how in FAILURES:
            _fail(getattr(errno, self._how))
        if self._how == "killed before":
            _die()
        taken = real(*(_half(args) if self._how in IN_THE_MIDDLE else args), **options)
        if self._how in KILLS or self._how == "killed in the middle":
            _die()
        self._is_full = self._how == "full from here"
        return taken


def _half(args: tuple[Any, ...]) -> tuple[Any, ...]:
    fd, data, *rest = args
    return (fd, data[: max(1, len(data) // 2)], *rest)


def _fail(number: int) -> NoReturn:
    raise OSError(number, os.strerror(number))


def _die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("a killed process goes on")
