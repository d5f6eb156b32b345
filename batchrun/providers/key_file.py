"""Reading a key from a file, for cron. The key is handed on and kept nowhere else."""

from __future__ import annotations

import shlex
import stat
from pathlib import Path

from batchrun.errors import CredentialsError


def read_key(path: Path) -> str:
    """The key in a file that only its owner may read.

    Raises:
        CredentialsError: missing, open to others, or holding anything but one key.
    """
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise CredentialsError(f"--key-file {path}: cannot be read ({exc}); check the path and its owner") from exc
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise CredentialsError(f"--key-file {path}: others may read it; run: chmod 600 {shlex.quote(str(path))}")
    # A header can hold ASCII only; the SDK would fall over anything else in mid-run.
    if not text.isascii() or len(text.split()) != 1:
        raise CredentialsError(f"--key-file {path}: holds no single key; put the key into it and nothing else")
    return text
