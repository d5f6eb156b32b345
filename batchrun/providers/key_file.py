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
    except OSError as exc:
        raise _wrong(path, _refusal(exc)) from exc
    except UnicodeDecodeError as exc:
        raise _wrong(path, "is no plain text; put the key into it and nothing else") from exc
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise _wrong(path, f"others may read it; run: chmod 600 {shlex.quote(str(path))}")
    # A header can hold ASCII only; the SDK would fall over anything else in mid-run.
    if not text.isascii() or len(text.split()) != 1:
        raise _wrong(path, "holds no single key; put the key into it and nothing else")
    return text


def _wrong(path: Path, what: str) -> CredentialsError:
    return CredentialsError(f"key file {path}: {what}")


def _refusal(exc: OSError) -> str:
    match exc:
        case FileNotFoundError() | NotADirectoryError():
            return "there is no such file; check the path (cron starts elsewhere: write it in full)"
        case PermissionError():
            return "this user may not read it; make it the user's own, or run as its owner"
        case IsADirectoryError():
            return "is a directory; name the file in it that holds the key"
        case _:
            return f"cannot be read ({exc.strerror}); check the path and the disk"
