"""A process that takes the lock of a state directory on a word from its parent, tells how it went, and waits.

Started by `test_lock`; imports as little as it can.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from batchrun.errors import LockHeldError
from batchrun.journal.lock import Lock
from batchrun.journal.state import StateDir


def main() -> None:
    state = StateDir(Path(sys.argv[1]))
    _tell("ready")
    if not sys.stdin.readline():
        return
    try:
        lock = Lock.take(state)
    except LockHeldError as exc:
        _tell(f"refused {int(exc.exit_code)} {exc}")
    else:
        _tell("held")
        if sys.argv[2:] == ["with a child"] and os.fork() == 0:
            _tell("child lives")
        sys.stdin.read()
        lock.release()


def _tell(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
