"""`--log FILE`: the run's decisions, in a file if one was asked for; nobody else hears them.

A log tells, and nothing depends on it: a disk that takes no more of it is told once, and costs the run nothing.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from batchrun.errors import ConfigError


@contextmanager
def logging_to(path: Path | None, say: Callable[[str], object]) -> Iterator[None]:
    """Raises ConfigError where the file cannot be opened; `say` hears of it where it cannot be written later."""
    logger = logging.getLogger("batchrun")
    logger.propagate = False
    # What the SDK would print (two credentials where one is used) belongs there too, and not into cron's mail.
    logging.getLogger("anthropic").addHandler(logging.NullHandler())
    handler = logging.NullHandler() if path is None else _opened(path, say)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        with suppress(OSError):  # what is still in its buffer fits no better now
            handler.close()


class _LogFile(logging.FileHandler):
    """Says once that the file cannot be written, and is silent from then on."""

    def __init__(self, path: Path, say: Callable[[str], object]) -> None:
        super().__init__(path, encoding="utf-8")
        self._path = path
        self._say = say
        self._is_deaf = False

    def emit(self, record: logging.LogRecord) -> None:
        if not self._is_deaf:
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is logging's
        fault = sys.exc_info()[1]
        if not isinstance(fault, OSError):
            super().handleError(record)
            return
        self._is_deaf = True
        self._say(f"--log {self._path}: cannot be written any more ({fault.strerror or fault}); the run goes on")


def _opened(path: Path, say: Callable[[str], object]) -> logging.Handler:
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600))
        return _LogFile(path, say)
    except OSError as exc:
        raise ConfigError(f"--log {path}: cannot be written ({exc.strerror}); give another path") from exc
