"""An open journal, and many commits to it at once."""

from __future__ import annotations

import asyncio

from batchrun.errors import JournalError
from batchrun.journal.disk import DISK, Disk
from batchrun.journal.state import StateDir
from batchrun.journal.writer import Journal
from batchrun.outcome import Outcome
from tests.journal.builders import HEADER


async def commit_all(journal: Journal, *outcomes: Outcome) -> None:
    async with asyncio.TaskGroup() as group:
        for each in outcomes:
            group.create_task(journal.commit(each))


async def failures_of(journal: Journal, *outcomes: Outcome) -> int:
    """How many of the commits, made at once, were refused."""

    async def is_refused(each: Outcome) -> bool:
        try:
            await journal.commit(each)
        except JournalError:
            return True
        return False

    async with asyncio.TaskGroup() as group:
        commits = [group.create_task(is_refused(each)) for each in outcomes]
    return sum(commit.result() for commit in commits)


def open_journal(state: StateDir, disk: Disk = DISK) -> Journal:
    return Journal.open(state, HEADER, disk)
