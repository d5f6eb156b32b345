"""What is said when the disk refuses: each cause has its remedy, and nobody is left without a next step."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from batchrun.errors import ExitCode, JournalError
from batchrun.journal.log import Log, trouble


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EDQUOT, "free some of your quota"),
        (errno.EFBIG, "raise the limit on file size (ulimit -f)"),
        (errno.EROFS, "mount the file system writable"),
        (errno.EACCES, "make it yours to write"),
        (errno.EPERM, "make it yours to write"),
        (errno.ENOENT, "bring the state directory back"),
        (errno.ESTALE, "bring the state directory back"),
        (errno.EMFILE, "allow more open files (ulimit -n)"),
        (errno.EIO, "look at the disk (dmesg)"),
    ],
)
def test_each_refusal_of_the_disk_has_its_remedy(number: int, remedy: str) -> None:
    """Exit 74; the message names the file, the cause and what to do, and that the run can go on."""
    error = trouble(Path("jobs.batchrun/results.jsonl"), "write to it", OSError(number, os.strerror(number)))
    assert error.exit_code is ExitCode.IO_ERROR
    assert str(error) == (
        f"jobs.batchrun/results.jsonl: cannot write to it: {os.strerror(number)}; "
        f"{remedy}, then run the same command again: what was finished is kept"
    )


def test_a_log_in_a_directory_that_is_not_there_is_told_so(tmp_path: Path) -> None:
    """Not a traceback."""
    with pytest.raises(JournalError, match="bring the state directory back"):
        Log.open(tmp_path / "gone" / "results.jsonl")
