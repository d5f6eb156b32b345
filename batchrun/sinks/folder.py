"""`--out-dir DIR`: a file for each answer, whole or not there at all.

`NAME.txt` holds the text, exactly. An answer with more in it than text (a tool's input, say) is `NAME.json`: an object
with id, status, stop_reason, text, content and usage. Only an item that is done has the plain name; one that is
incomplete or refused is `NAME~incomplete.txt` or `NAME~refused.txt`, so that half an answer is never taken for one. How
NAME comes from the id is told in `file_name.py`.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import orjson

from batchrun.errors import ConfigError
from batchrun.journal.disk import DISK, Disk, write_all
from batchrun.outcome import Status
from batchrun.sinks.file_name import file_name
from batchrun.sinks.sink import SinkItem
from batchrun.sinks.workers import Workers
from batchrun.stream.pipe import SinkFailed

THREADS = 4  # a disk that flushes is no faster for more
JUST_TEXT = frozenset({"text", "thinking", "redacted_thinking"})  # thinking is no part of the answer
KINDS = (Status.DONE, Status.INCOMPLETE, Status.REFUSED)
ENDINGS = (".txt", ".json")


class FolderSink:
    """Writes a draft, makes it durable, renames it: the item counts as finished only after that. Files are their
    owner's alone, as in the state directory. An answer that comes again replaces the older one, whatever its name."""

    wants_deltas = False

    def __init__(self, directory: Path, disk: Disk = DISK) -> None:
        self.name = f"--out-dir {directory}"
        self._directory = directory
        self._disk = disk
        self._workers = Workers(THREADS)

    def __repr__(self) -> str:
        return f"<FolderSink {self._directory}>"

    async def open(self) -> None:
        """Raises ConfigError where no file can be made in the directory, which is made if it is missing."""
        try:
            await self._workers.call(self.name, self._try_out)
        except SinkFailed as failed:
            raise ConfigError(f"{failed}; name a directory that can be written") from failed

    async def delta(self, item: SinkItem, text: str) -> None:
        return None

    async def deliver(self, item: SinkItem) -> None:
        await self._workers.call(self.name, lambda: self._keep(item))

    async def abort(self, item: SinkItem) -> None:
        return None

    async def close(self) -> None:
        self._workers.close()

    def _try_out(self) -> None:
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            draft = self._directory / ".~try"
            self._disk.close(self._disk.open_new(draft))
            self._disk.remove(draft)
        except OSError as exc:
            raise SinkFailed(f"{self.name}: cannot be written ({exc.strerror or exc})") from exc

    def _keep(self, item: SinkItem) -> None:
        assert item.status is not None
        name = file_name(item.id)
        is_text = all(block.get("type") in JUST_TEXT for block in item.content)
        target = self._directory / _full_name(name, item.status, ".txt" if is_text else ".json")
        try:
            self._replace(target, item.text.encode("utf-8", "replace") if is_text else _document(item))
            for status in KINDS:
                for ending in ENDINGS:
                    other = self._directory / _full_name(name, status, ending)
                    if other != target and other.exists():
                        self._disk.remove(other)
        except OSError as exc:
            raise SinkFailed(f"{self.name}: {target.name} cannot be written ({exc.strerror or exc})") from exc

    def _replace(self, target: Path, data: bytes) -> None:
        # The draft of an item that was cut off is written over when the item comes again.
        draft = target.with_name(f".{target.name}")
        fd = self._disk.open_new(draft)
        try:
            _, refusal = write_all(self._disk, fd, data)
            if refusal is not None:
                raise refusal
            self._disk.sync(fd)
            self._disk.replace(draft, target)
        except OSError:
            with suppress(OSError):
                self._disk.remove(draft)
            raise
        finally:
            self._disk.close(fd)
        self._disk.sync_directory(self._directory)


def _full_name(name: str, status: Status, ending: str) -> str:
    return f"{name}{ending}" if status is Status.DONE else f"{name}~{status}{ending}"


def _document(item: SinkItem) -> bytes:
    document = {
        "id": item.id,
        "status": item.status,
        "stop_reason": item.stop_reason,
        "text": item.text,
        "content": item.content,
        "usage": item.usage,
    }
    return orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)
