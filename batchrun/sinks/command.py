"""`--each 'command'`: a shell command for each answer: the text on its standard input, the id in its environment.

The input is a file without a name and not a pipe: the command may read all of it, a part or nothing, nobody is told of
a broken pipe, and nobody has to write while it runs. What it says on standard error goes to such a file as well, so a
process that it leaves behind in the background holds up nobody. Its standard output is dropped: the run's own belongs
to the run.
"""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from contextlib import suppress
from typing import IO

from batchrun.errors import ConfigError
from batchrun.masking import masked
from batchrun.sinks.config import TIME_LIMIT
from batchrun.sinks.sink import SinkItem
from batchrun.stream.pipe import SinkFailed

GRACE = 2.0  # seconds between the request to end and the order
KEPT_ERROR = 2048  # characters of what a failing command said last, on one line
READ_ERROR = 4 * KEPT_ERROR  # bytes that are looked at for it, so that no secret is cut before it is masked
SHELL_KNOWS_NO_SUCH = 127


class CommandSink:
    """At most `parallel` commands run at once, one for each core if that is None; the rest wait for their turn.

    The environment is the run's, with BATCHRUN_ID, BATCHRUN_STATUS (`done`, `incomplete` or `refused`) and
    BATCHRUN_MODEL; the directory too. A command fails if its exit status is not 0.
    """

    wants_deltas = False

    def __init__(self, command: str, parallel: int | None = None, time_limit: float | None = TIME_LIMIT) -> None:
        if not command.strip():
            raise ConfigError("--each is empty; give a shell command, such as 'cat >> answers.txt'")
        if parallel is not None and parallel < 1:
            raise ConfigError(f"--each cannot run {parallel} commands at once; give 1 or more")
        # The shell may have put a key into it in the place of a variable, and the name is told and kept.
        self.name = f"--each {masked(command, os.environ)!r}"
        self._command = command
        self._turn = asyncio.Semaphore(parallel or os.cpu_count() or 1)
        self._time_limit = time_limit

    def __repr__(self) -> str:
        return f"<CommandSink {self.name}>"

    async def open(self) -> None:
        return None

    async def delta(self, item: SinkItem, text: str) -> None:
        return None

    async def deliver(self, item: SinkItem) -> None:
        async with self._turn:
            try:
                with tempfile.TemporaryFile() as text, tempfile.TemporaryFile() as said:
                    text.write(item.text.encode("utf-8", "replace"))
                    text.seek(0)
                    status = await self._run(item, text, said)
                    if status != 0:
                        raise SinkFailed(f"{self.name}: {_tell(status)}{_last_words(said)}")
            except OSError as exc:
                raise SinkFailed(f"{self.name}: cannot be started ({exc.strerror or exc})") from exc

    async def abort(self, item: SinkItem) -> None:
        return None

    async def close(self) -> None:
        return None

    async def _run(self, item: SinkItem, text: IO[bytes], said: IO[bytes]) -> int:
        process = await asyncio.create_subprocess_shell(
            self._command,
            stdin=text,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=said,
            env=_environment(item),
            # A group of its own: a Ctrl-C in the terminal is the run's affair, and the whole group can be ended.
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(self._time_limit):
                return await process.wait()
        except TimeoutError as exc:
            words = _last_words(said)
            raise SinkFailed(f"{self.name}: has not ended within {self._time_limit:g} s{words}") from exc
        finally:
            if process.returncode is None:
                await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Leave nothing of the command behind, however often we are cancelled meanwhile."""
    try:
        _signal_group(process.pid, signal.SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE):
                await process.wait()
    finally:
        # What the shell had started may have outlived it.
        _signal_group(process.pid, signal.SIGKILL)
        await process.wait()


def _signal_group(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group that is dying
        os.killpg(group, number)


def _environment(item: SinkItem) -> dict[str, str]:
    told = {"BATCHRUN_ID": item.id, "BATCHRUN_STATUS": str(item.status), "BATCHRUN_MODEL": item.model}
    # An environment cannot hold a zero byte, nor half a character.
    fit = {name: value.replace("\0", "\ufffd").encode("utf-8", "replace").decode() for name, value in told.items()}
    return {**os.environ, **fit}


def _tell(status: int) -> str:
    if status < 0:
        return f"was ended by {_signal_name(-status)}"
    hint = " (no such command)" if status == SHELL_KNOWS_NO_SUCH else ""
    return f"exit status {status}{hint}"


def _signal_name(number: int) -> str:
    # The real-time ones between the first and the last have none.
    return next((each.name for each in signal.Signals if each == number), f"signal {number}")


def _last_words(said: IO[bytes]) -> str:
    size = said.seek(0, os.SEEK_END)
    said.seek(max(0, size - READ_ERROR))
    words = " ".join(masked(said.read(READ_ERROR).decode("utf-8", "replace"), os.environ).split())
    return f": {words[-KEPT_ERROR:]}" if words else ""
