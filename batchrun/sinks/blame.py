"""The border to code that is not ours: whatever a user's function raises is that function's failure, and no bug.

Nothing but the call itself may stand inside it.
"""

from __future__ import annotations

import asyncio
import os
import traceback
from pathlib import Path
from types import TracebackType

from batchrun.masking import masked, scrubbed
from batchrun.stream.pipe import SinkFailed

# Whose frames are nobody's own: ours, and those of the standard library with what is installed below it.
_NOT_THE_USERS = (str(Path(__file__).parents[1]), str(Path(os.__file__).parent), "<frozen ")


class Blame:
    """A `with` around a call of foreign code.

    A class with `__exit__` and no handler, because it must take all that can be raised, `sys.exit()` included, and let
    through only what is not the code's own: the cancellation of our task.

    Raises:
        SinkFailed: from what was raised.
    """

    def __init__(self, name: str, *, in_thread: bool = False) -> None:
        self._name = name
        self._in_thread = in_thread

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if exc is not None and not isinstance(exc, SinkFailed) and (self._in_thread or not _is_ours(exc)):
            raise SinkFailed(f"{self._name}: {scrubbed(masked(explain(exc), os.environ), None)}") from exc


def explain(exc: BaseException) -> str:
    """The error with the place in the user's own files where it came up."""
    frames = traceback.extract_tb(exc.__traceback__)
    places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames if _is_users(frame.filename)]
    said = f"{type(exc).__name__}: {exc}".removesuffix(": ")
    return f"{said} ({places[-1]})" if places else said


def _is_ours(exc: BaseException) -> bool:
    if isinstance(exc, asyncio.CancelledError):
        task = asyncio.current_task()
        # Foreign code may raise it on its own account: then nobody has asked this task to end.
        return task is None or task.cancelling() > 0
    return isinstance(exc, GeneratorExit | KeyboardInterrupt)


def _is_users(filename: str) -> bool:
    return not filename.startswith(_NOT_THE_USERS)
