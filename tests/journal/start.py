"""One start on a state in a process of its own: it tells how many megabytes that took at most.

Started by `test_damage`: `python -m tests.journal.start STATE ID...`, where the answers to the ids have to be found.
"""

from __future__ import annotations

import re
import resource
import sys
from pathlib import Path

from batchrun.journal.recovery import recover
from batchrun.journal.state import StateDir
from tests.journal.builders import HEADER, close

STATUS = Path("/proc/self/status")


def main() -> None:
    recovered = recover(StateDir(Path(sys.argv[1])), HEADER)
    close(recovered)
    missing = [id for id in sys.argv[2:] if id not in recovered.finished]
    assert missing == []
    sys.stdout.write(f"{_most_memory()}\n")


def _most_memory() -> int:
    """Megabytes. Of a process that was forked from a large one `getrusage` tells what that one used."""
    found = re.search(r"VmHWM:\s*(\d+) kB", STATUS.read_text()) if STATUS.exists() else None
    return int(found[1]) >> 10 if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 20


if __name__ == "__main__":
    main()
