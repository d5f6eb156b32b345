"""A job file, opened: what can be read as one at all, and the mark that some editors put before its first line.

Knows nothing of jobs, so that who only looks at a run need not import how lines are read.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import BinaryIO

from batchrun.errors import JobFileUnreadable

BOM = b"\xef\xbb\xbf"


def open_jobs(path: Path) -> BinaryIO:
    """Open a job file for reading.

    Raises:
        JobFileUnreadable: missing, a directory, a pipe, not permitted.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISREG(mode) or stat.S_ISDIR(mode):  # of a directory, `open` itself complains
            return path.open("rb")
    except FileNotFoundError as exc:
        raise JobFileUnreadable(f"{path}: there is no such file; check the path, or create it") from exc
    except IsADirectoryError as exc:
        raise JobFileUnreadable(f"{path}: is a directory; name the job file in it") from exc
    except OSError as exc:
        raise JobFileUnreadable(f"{path}: cannot be read ({exc.strerror}); check its permissions") from exc
    # What a pipe has given is gone, and lines are read again while the run goes on.
    remedy = "write the jobs to a file first, or pipe them into batchrun run - --state DIR"
    raise JobFileUnreadable(f"{path}: is no regular file; {remedy}")
