"""The exit codes are a contract with scripts: one table in the code, and the docs say the same."""

from __future__ import annotations

import re

from batchrun import errors
from batchrun.errors import MEANING, PRECEDENCE, BatchrunError, ExitCode
from tests.house.tree import ROOT

TABLE = re.compile(r"^\| code \| meaning \|\n\|[-: |]+\|\n((?:\|.*\|\n)+)", re.MULTILINE)
ROW = re.compile(r"^\| (\d+) \| (.+) \|$", re.MULTILINE)


def test_the_readme_tells_the_exit_codes_as_they_are() -> None:
    """The table `| code | meaning |` of README.md has a row for each code, in the words of the code, and no others."""
    tables = TABLE.findall(ROOT.joinpath("README.md").read_text(encoding="utf-8"))
    assert len(tables) == 1, "README.md needs one table that begins with `| code | meaning |`"
    assert dict(ROW.findall(tables[0])) == {str(int(code)): meaning for code, meaning in MEANING.items()}


def test_each_exit_code_has_a_meaning() -> None:
    """The table of meanings is whole."""
    assert set(MEANING) == set(ExitCode)


def test_each_error_ends_with_a_code_of_the_table() -> None:
    """Every class of the error tree has an exit code, and its docstring says whose fault it is."""
    tree = [thing for thing in vars(errors).values() if isinstance(thing, type) and issubclass(thing, BatchrunError)]
    assert len(tree) > 1
    assert [error.__name__ for error in tree if error.exit_code not in MEANING or not error.__doc__] == []


def test_precedence_ranks_what_can_hold_together() -> None:
    """What a run can end with is ranked once each, and a clean end comes last."""
    assert len(set(PRECEDENCE)) == len(PRECEDENCE)
    assert PRECEDENCE[-1] is ExitCode.OK
