"""A clone works anywhere: nothing in it names a developer's machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.house.tree import ROOT

# Written in pieces, for this file is searched as well. An example may lie in a home that is nobody's.
HOMES = re.compile(r"(?<![\w.~/-])/" + r"(?:work|root|Users|home/(?!me/|you/)\w+|opt/pypi|opt/wheels)/")
INDEXES = re.compile(r"--(?:extra-)?index" + r"-url|--find" + r"-links|file:" + r"///|--trusted" + r"-host")
NO_TEXT = {".png", ".svg", ".gz", ".zst", ".ico", ".woff2"}


def texts() -> Iterator[tuple[Path, str]]:
    for path in sorted(ROOT.rglob("*")):
        inside = path.relative_to(ROOT)
        is_ours = not any(part.startswith(".") and part != ".ci" for part in inside.parts[:-1])
        is_ours = is_ours and path.name != ".git"  # a worktree has a file of that name, which says where its clone lies
        is_output = any(part == "__pycache__" or part.endswith((".batchrun", ".egg-info")) for part in inside.parts)
        if path.is_file() and is_ours and not is_output and path.suffix not in NO_TEXT:
            yield inside, path.read_text(encoding="utf-8", errors="replace")


def test_no_file_names_a_directory_of_somebody() -> None:
    """No path into a home or a working directory stands in the tree."""
    named = [f"{path}: {match[0]}" for path, text in texts() for match in HOMES.finditer(text)]
    assert named == []


def test_the_locks_leave_the_package_index_to_the_user() -> None:
    """The lock files hold versions and hashes, and no index, host or local file."""
    locks = [(path, text) for path, text in texts() if path.suffix == ".lock"]
    assert len(locks) == 2
    named = [f"{path}: {match[0]}" for path, text in locks for match in INDEXES.finditer(text)]
    assert named == []
    unlocked = [f"{path}: {line}" for path, text in locks for line in _requirements_without_hash(text)]
    assert unlocked == []


def _requirements_without_hash(lock: str) -> list[str]:
    requirements = lock.replace("\\\n", " ").splitlines()
    return [line for line in requirements if line.strip() and not re.match(r"\S+==\S+ .*--hash=sha256:", line)]
