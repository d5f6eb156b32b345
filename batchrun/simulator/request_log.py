"""The log of message requests: a JSON line as each arrives and one as it ends. Written at once, never buffered."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

import orjson

from batchrun.errors import ConfigError

PROMPT_CHARS = 200


class RequestLog:
    """An append-only file, or nothing at all where no path is given.

    One write a line: what was logged stays whatever is killed next, and two simulators may share a file.
    """

    def __init__(self, path: Path | None) -> None:
        """Raises ConfigError where the file cannot be opened."""
        self._path = path
        self._fd: int | None = None
        if path is not None:
            try:
                self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as exc:
                raise ConfigError(f"{path}: the log cannot be written ({exc.strerror}): choose another path") from exc

    def __repr__(self) -> str:
        return f"<RequestLog {self._path}>"

    def arrived(self, *, request: str | None, prompt: str | None, seen: int, fault: str) -> None:
        """A request came; `request` and `prompt` are None where its body could not be understood."""
        if self._fd is not None:
            shown = prompt[:PROMPT_CHARS] if prompt is not None else None
            self._write({"event": "request", "hash": request, "prompt": shown, "seen": seen, "fault": fault})

    def ended(self, *, request: str | None, seen: int, fault: str, status: int, sent_events: int, ended: str) -> None:
        """Nothing more is sent for it."""
        if self._fd is not None:
            line = {"event": "end", "hash": request, "seen": seen, "fault": fault, "status": status}
            self._write({**line, "sent_events": sent_events, "ended": ended})

    def close(self) -> None:
        """Give the file back."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _write(self, line: Mapping[str, object]) -> None:
        assert self._fd is not None
        os.write(self._fd, orjson.dumps({"t": time.time(), **line}, option=orjson.OPT_APPEND_NEWLINE))
