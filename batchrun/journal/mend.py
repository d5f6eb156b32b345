"""The four ways in which a damaged file is mended: keep bytes aside, cut the end, rebuild, copy.

Each can be killed at any step and begun again: nothing is taken out of a file before it is durable elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain, count
from pathlib import Path

from batchrun.errors import JournalError
from batchrun.journal.disk import Disk, in_blocks
from batchrun.journal.log import Log, distrust_mark, trouble

_BLOCK = 1 << 20


class Aside:
    """Where the bytes go that are taken out of a file: beside it, `NAME.bad-1` and so on. Made with the first byte."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self.path: Path | None = None
        self.size = 0
        self._beside = path
        self._disk = disk
        self._log: Log | None = None

    def keep(self, data: bytes) -> None:
        if self._log is None:
            self._log = self._first_free()
            self.path = self._log.path
        with self._or_removed(self._log):
            self._log.append(data)
        self.size += len(data)

    def finish(self) -> None:
        """Return when what was kept is durable."""
        if self._log is not None:
            with self._or_removed(self._log):
                self._log.sync()
            self._log.close()
            _sync_directory(self._beside.parent, self._disk)

    @contextmanager
    def _or_removed(self, log: Log) -> Iterator[None]:
        """Where the disk refuses, nothing has been taken out of the file yet: half a copy at each start would only fill
        the disk."""
        try:
            yield
        except JournalError:
            log.close()
            with suppress(OSError):
                self._disk.remove(log.path)
            raise

    def _first_free(self) -> Log:
        for number in count(1):
            path = self._beside.with_name(f"{self._beside.name}.bad-{number}")
            try:
                return Log(path, self._disk.open_new(path, exclusive=True), 0, self._disk, is_draft=True)
            except FileExistsError:
                continue
            except OSError as exc:
                raise trouble(path, "create it", exc) from exc
        raise AssertionError("count() never ends")


def cut_tail(log: Log, start: int, disk: Disk) -> Path | None:
    """Keep the bytes from `start` aside, then cut them off (C7). Returns where they are kept, if there are any."""
    if start == log.size:
        return None
    aside = Aside(log.path, disk)
    for block in _blocks(log.path, start):
        aside.keep(block)
    aside.finish()
    log.cut(start)
    return aside.path


def ends_whole(log: Log) -> bool:
    """Whether the next line would begin a line: nothing stands there yet, or the last byte is a newline."""
    if log.size == 0:
        return True
    try:
        with log.path.open("rb", buffering=0) as file:
            file.seek(log.size - 1)
            return file.read(1) == b"\n"
    except OSError as exc:
        raise trouble(log.path, "read it", exc) from exc


def rebuild(path: Path, header: bytes, pieces: Iterable[tuple[bytes, bool]], disk: Disk) -> Aside:
    """Write the file anew from `header` and the pieces that count; the others are kept aside (C8)."""
    aside = Aside(path, disk)
    # Lines that lost their newline to a neighbour get it back.
    lines = (data if data.endswith(b"\n") else data + b"\n" for data in chain((header,), _sound(pieces, aside)))
    _write_draft(path, in_blocks(lines), disk)
    aside.finish()
    _put_in_place(path, disk)
    return aside


def renew_if_distrusted(path: Path, disk: Disk) -> bool:
    """Where an fsync of the file has failed, put what can still be read of it into a new file (C9)."""
    mark = distrust_mark(path)
    if not mark.exists():
        return False
    if path.exists():
        _write_draft(path, _blocks(path, 0), disk)
        _put_in_place(path, disk)
    try:
        disk.remove(mark)
        disk.sync_directory(path.parent)
    except OSError as exc:
        raise trouble(mark, "remove it", exc) from exc
    return True


def _sound(pieces: Iterable[tuple[bytes, bool]], aside: Aside) -> Iterator[bytes]:
    for data, counts in pieces:
        if counts:
            yield data
        else:
            aside.keep(data)


def _draft_of(path: Path) -> Path:
    return path.with_name(path.name + ".new")


def _write_draft(path: Path, blocks: Iterable[bytes], disk: Disk) -> None:
    draft = _draft_of(path)
    try:
        log = Log(draft, disk.open_new(draft), 0, disk, is_draft=True)
    except OSError as exc:
        raise trouble(draft, "create it", exc) from exc
    try:
        for block in blocks:
            log.append(block)
        log.sync()
    except JournalError:
        # On a full disk half a copy would only be in the way.
        with suppress(OSError):
            disk.remove(draft)
        raise
    finally:
        log.close()


def _put_in_place(path: Path, disk: Disk) -> None:
    """Rename the draft, and make the new name durable (C11)."""
    try:
        disk.replace(_draft_of(path), path)
    except OSError as exc:
        raise trouble(path, "put its new copy in place", exc) from exc
    _sync_directory(path.parent, disk)


def _blocks(path: Path, start: int) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            file.seek(start)
            while block := file.read(_BLOCK):
                yield block
    except OSError as exc:
        raise trouble(path, "read it", exc) from exc


def _sync_directory(path: Path, disk: Disk) -> None:
    try:
        disk.sync_directory(path)
    except OSError as exc:
        raise trouble(path, "make its entries durable", exc) from exc
