"""How this program is called from where the reader stands. What is typed behind it is known elsewhere."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

NAME = "batchrun"


def program_name(argv: Sequence[str] | None = None) -> str:
    """The first words of a command to copy, quoted for a shell: the plain name where the shell finds this very program
    by it, else the path by which it was called. `argv` None is this process's."""
    called = (sys.argv if argv is None else argv)[0]
    if Path(called).parts[-2:] == (NAME, "__main__.py"):
        return shlex.join([sys.executable, "-m", NAME])
    if Path(called).name != NAME or _is_same(shutil.which(NAME), called):
        return NAME
    return shlex.quote(called)


def _is_same(found: str | None, called: str) -> bool:
    if os.sep not in called:  # the shell's own word for it
        return True
    try:
        return found is not None and Path(found).samefile(called)
    except OSError:
        return False
