"""The standard streams where they are closed or full, or nobody listens any more.

What was done was done: a stream that takes nothing costs no run. What is said on them is others' affair.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

DEAF = (OSError, ValueError)  # nobody is there any more, or the stream is closed


def open_missing() -> None:
    """Put an empty device in the place of each stream with which the program was started closed (`2>&-`). Else the
    next file that is opened would take its number, and a command of the user's would write its errors into it."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            os.set_inheritable(number, True)
            if number:
                stream = open(number, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - open to the end
                setattr(sys, ("stdin", "stdout", "stderr")[number], stream)


def remark(text: str, *, keep_lines: bool = False) -> None:
    """To stderr: what a person should know besides. What cannot be told is not told."""
    from batchrun.report.plain import printable

    try:
        sys.stderr.write(f"batchrun: {printable(text, keep_lines=keep_lines)}\n")
        sys.stderr.flush()
    except DEAF:
        give_up(sys.stderr)


class Facts(io.FileIO):
    """Standard output, which remembers why it was refused: an error that arrives somewhere else could be anybody's."""

    def __init__(self) -> None:
        super().__init__(1, "w", closefd=False)
        self.fault: OSError | None = None

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as exc:
            self.fault = exc
            raise


def open_facts() -> Facts:
    """Have all that is printed from now on go there."""
    facts, plain = Facts(), sys.stdout
    lines = facts.isatty()
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(facts), plain.encoding, plain.errors, line_buffering=lines)
    return facts


@contextmanager
def for_facts_alone() -> Iterator[None]:
    """What is printed meanwhile goes to stderr, by functions of the user's and by what they start: stdout is for the
    one object that follows."""
    flush(sys.stdout)
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        flush(sys.stdout)
        os.dup2(kept, 1)
        os.close(kept)


def flush(stream: TextIO) -> OSError | None:
    """Why what was written to it does not arrive, None where it does. It is given up then."""
    try:
        stream.flush()
    except OSError as exc:
        give_up(stream)
        return exc
    except ValueError:  # closed by somebody
        return None
    return None


def give_up(stream: TextIO) -> None:
    """Let what it could not write go nowhere: it stands in its buffer still, and the interpreter, which tries it again
    at its end, would put its own exit code in the place of ours."""
    with suppress(*DEAF):
        null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        os.dup2(null, stream.fileno())
        os.close(null)
        stream.flush()
