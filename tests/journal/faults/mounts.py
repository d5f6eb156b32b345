"""File systems of a given size in memory, for as long as a test needs one; skips it where none may be had."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class Mount:
    """A tmpfs at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def change(self, options: str) -> None:
        _mount("-o", f"remount,{options}", str(self.path))


@contextmanager
def mounted(path: Path, options: str) -> Iterator[Mount]:
    """A new tmpfs with these options of mount(8)."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount")
    path.mkdir()
    try:
        _mount("-t", "tmpfs", "-o", options, "tmpfs", str(path))
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting is not permitted here")
    try:
        yield Mount(path)
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True, capture_output=True)
