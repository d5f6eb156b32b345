"""Lines and job files as the tests of this room need them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from batchrun.errors import JobFileError
from batchrun.jobs.dialect import Complaint
from batchrun.jobs.job import BackendSpeech, Job, RequestFlags
from batchrun.jobs.line import BadJobLine, parse_line
from batchrun.jobs.reader import JobFile, Selection, check_jobs

FLAGS = RequestFlags()
ALL = Selection()
BACKENDS = {name: BackendSpeech(name) for name in ("claude", "ollama")}


def encoded(fields: Any) -> bytes:
    """A line without its end, as most tools write it."""
    return json.dumps(fields, ensure_ascii=False).encode()


def parsed(fields: Any, flags: RequestFlags = FLAGS) -> Job:
    return parse_line(encoded(fields), 1, flags, BACKENDS)


def simple(**fields: Any) -> dict[str, Any]:
    """A job with which nothing is wrong, plus `fields`."""
    return {"id": "a", "prompt": "Say a word."} | fields


def complaints(line: Any) -> list[Complaint]:
    """What is wrong with a line: bytes, or fields to be encoded."""
    raw = line if isinstance(line, bytes) else encoded(line)
    with pytest.raises(BadJobLine) as bad:
        parse_line(raw, 1, FLAGS, BACKENDS)
    return bad.value.complaints


def everything(id: str, request: str) -> bool:
    """Nothing is finished yet."""
    return True


def checked(
    path: Path,
    content: bytes,
    selection: Selection = ALL,
    flags: RequestFlags = FLAGS,
    is_pending: Callable[[str, str], bool] = everything,
) -> JobFile:
    """Write `content` to `path` and check it."""
    path.write_bytes(content)
    return check_jobs(path, flags, BACKENDS, is_pending, selection)


def faults(path: Path, content: bytes) -> JobFileError:
    """What is wrong with a job file of this content."""
    with pytest.raises(JobFileError) as bad:
        checked(path, content)
    return bad.value


def ids(file: JobFile, backend: str = "claude") -> list[str]:
    return [job.id for job in file.jobs(backend)] if backend in file.pending else []
