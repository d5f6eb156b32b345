"""A command to copy begins with what the shell finds."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from batchrun.report.program import program_name


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """An installed program, in a directory with a blank in its name."""
    found = tmp_path / "my bin" / "batchrun"
    found.parent.mkdir()
    found.write_text("#!/bin/sh\n")
    found.chmod(0o755)
    return found


def test_the_plain_name_is_enough_where_the_shell_finds_this_very_program(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However it was called."""
    monkeypatch.setenv("PATH", str(program.parent))
    assert program_name([str(program)]) == "batchrun"
    assert program_name(["batchrun"]) == "batchrun"


def test_elsewhere_it_is_the_path_by_which_it_was_called(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the shell would find another one by the name."""
    monkeypatch.setenv("PATH", "/nowhere")
    assert program_name([str(program)]) == shlex.quote(str(program))
    assert program_name([".venv/bin/batchrun"]) == ".venv/bin/batchrun"
    other = program.with_name("other") / "batchrun"
    other.parent.mkdir()
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(other.parent))
    assert program_name([str(program)]) == shlex.quote(str(program))


def test_a_module_is_called_as_one() -> None:
    """`python -m batchrun`, with that Python; anything else that calls us has no name of its own."""
    assert shlex.split(program_name(["/x/batchrun/__main__.py"])) == [sys.executable, "-m", "batchrun"]
    assert program_name(["/usr/bin/pytest"]) == program_name(["/x/pytest/__main__.py"]) == "batchrun"
