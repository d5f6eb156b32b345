"""A small run: commits what its journal does not know yet and tells each id when, and only when, it is finished.

Started and killed by `test_kill`; imports neither the SDK nor the engine, so that a start takes a moment.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from batchrun.journal.state import StateDir
from batchrun.journal.writer import Journal
from tests.journal.builders import HEADER, outcome

COMMITTERS = 8


async def main(state: StateDir, total: int) -> None:
    with Journal.open(state, HEADER) as journal:

        async def commit_each(first: int) -> None:
            for number in range(first, total, COMMITTERS):
                job = outcome(str(number))
                if not journal.finished.is_finished(job.id, job.request):
                    os.write(1, f"asked {job.id}\n".encode())
                    await journal.commit(job)
                    os.write(1, f"finished {job.id}\n".encode())

        async with asyncio.TaskGroup() as group:
            for first in range(COMMITTERS):
                group.create_task(commit_each(first))


if __name__ == "__main__":
    asyncio.run(main(StateDir(Path(sys.argv[1])), int(sys.argv[2])))
