"""The files of one directory, laid down and read back with few calls, for states come by the thousand."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


def lay_down(folder: Path, files: Mapping[str, bytes]) -> None:
    """These files and no others."""
    with _opened(folder) as place:
        for entry in os.scandir(place):
            if entry.name not in files:
                os.unlink(entry.name, dir_fd=place)
        for name, data in files.items():
            fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600, dir_fd=place)
            os.write(fd, data)
            os.close(fd)


def read_back(folder: Path) -> dict[str, bytes]:
    files = {}
    with _opened(folder) as place:
        for entry in os.scandir(place):
            fd = os.open(entry.name, os.O_RDONLY, dir_fd=place)
            files[entry.name] = os.read(fd, os.fstat(fd).st_size)
            os.close(fd)
    return files


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield fd
    finally:
        os.close(fd)
