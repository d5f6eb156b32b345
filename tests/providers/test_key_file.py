"""A key from a file, for cron: only from a file that is its owner's alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchrun.errors import CredentialsError, ExitCode
from batchrun.providers.key_file import read_key

SECRET = "sk-ant-canary-1618033988749894"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "the key"


def write(path: Path, content: bytes, mode: int = 0o600) -> None:
    path.write_bytes(content)
    path.chmod(mode)


@pytest.mark.parametrize("content", ["{}", "{}\n", "  {}\r\n", "\n{}\n\n", "\ufeff{}\r\n"])
def test_a_key_is_read_without_what_editors_leave_around_it(path: Path, content: str) -> None:
    """Newlines, blanks, a byte order mark."""
    write(path, content.format(SECRET).encode())
    assert read_key(path) == SECRET


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_file_of_its_owner_alone_is_accepted(path: Path, mode: int) -> None:
    """What counts is that nobody else may look."""
    write(path, SECRET.encode(), mode)
    assert read_key(path) == SECRET


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o620, 0o602, 0o610])
def test_a_file_that_others_may_touch_is_refused(path: Path, mode: int) -> None:
    """Exit 77, with the command that mends it, ready to be pasted."""
    write(path, SECRET.encode(), mode)
    with pytest.raises(CredentialsError, match=r"others may read it; run: chmod 600 '.*/the key'") as refused:
        read_key(path)
    assert refused.value.exit_code is ExitCode.NO_CREDENTIALS
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    "content",
    ["", "\n", " \t\n", "{0} {0}", "{0}\n{0}\n", "export KEY={0}\n", "{0}é", "\u201c{0}\u201d"],
    ids=["empty", "newline", "blanks", "two", "two lines", "a shell line", "an accent", "curly quotes"],
)
def test_a_file_with_anything_but_one_key_is_refused(path: Path, content: str) -> None:
    """The key itself is never part of the message."""
    write(path, content.format(SECRET).encode())
    with pytest.raises(CredentialsError, match="holds no single key") as refused:
        read_key(path)
    assert "canary" not in str(refused.value)


def test_a_file_that_is_no_text_is_refused(path: Path) -> None:
    """A key in UTF-16 or a keystore: told as such."""
    write(path, SECRET.encode("utf-16"))
    with pytest.raises(CredentialsError, match="cannot be read") as refused:
        read_key(path)
    assert "canary" not in str(refused.value)


def test_a_missing_file_is_refused(path: Path) -> None:
    """Exit 77 with the path: cron's working directory is not yours."""
    with pytest.raises(CredentialsError, match=r"/the key: cannot be read .*; check the path"):
        read_key(path)


def test_a_directory_is_refused(tmp_path: Path) -> None:
    """No traceback for a slip of the shell's completion."""
    with pytest.raises(CredentialsError, match="cannot be read"):
        read_key(tmp_path)
