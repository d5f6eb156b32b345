"""Many processes that start a run in the same moment: forked, so that they are ready together, and let go by one word.

Started by `test_lock` as `python -m tests.journal.crowd STATE COUNT`; tells how it went as JSON, each line a start. The
one that works goes on until all others have been told.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from batchrun.errors import BatchrunError
from batchrun.journal.state import StateDir
from batchrun.journal.writer import Journal
from tests.journal.builders import HEADER


def main() -> None:
    state, count = StateDir(Path(sys.argv[1])), int(sys.argv[2])
    go, told, over = os.pipe(), os.pipe(), os.pipe()
    for _ in range(count):
        if os.fork() == 0:
            # Whoever keeps an end open keeps the others waiting.
            os.close(go[1])
            os.close(over[1])
            os._exit(_start(state, go[0], told[1], over[0]))
    os.close(go[1])
    os.close(told[1])
    with os.fdopen(told[0]) as words:
        for _ in range(count):
            sys.stdout.write(words.readline())
    os.close(over[1])
    for _ in range(count):
        os.wait()


def _start(state: StateDir, go: int, told: int, over: int) -> int:
    os.read(go, 1)
    try:
        with Journal.open(state, HEADER):
            _tell(told, 0, "")
            os.read(over, 1)
    except BatchrunError as exc:
        _tell(told, int(exc.exit_code), str(exc))
    return 0


def _tell(told: int, code: int, message: str) -> None:
    # One write of less than a page is not mixed with another's.
    os.write(told, json.dumps({"pid": os.getpid(), "code": code, "message": message}).encode() + b"\n")


if __name__ == "__main__":
    main()
