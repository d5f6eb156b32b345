"""From `module:function` to the function: where it is looked for, and what is said if it is not there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchrun.errors import ConfigError, ExitCode
from batchrun.sinks.load import load_function
from tests.sinks.fakes import an_answer

MODULE = """
import side_of_it

class Saver:
    def save(self, item):
        return "saver " + item.text

saver = Saver()
size = 3

def publish(item):
    return side_of_it.PREFIX + item.text

def save(item):
    return "saved"

def _hidden(item):
    return None
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A directory with a module; nothing of it stays imported or on the path."""
    directory = tmp_path / "the jobs"
    directory.mkdir()
    directory.joinpath("publisher.py").write_text(MODULE, encoding="utf-8")
    directory.joinpath("side_of_it.py").write_text('PREFIX = "published "', encoding="utf-8")
    path, modules = list(sys.path), set(sys.modules)
    yield directory
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def refusal(target: str, place: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load_function(target, place)
    assert caught.value.exit_code is ExitCode.BAD_CONFIG
    assert str(caught.value).startswith(f"--sink {target}: ")
    return str(caught.value).removeprefix(f"--sink {target}: ")


def test_a_function_beside_the_job_file_is_found(place: Path) -> None:
    """With what its module imports from there; objects of the module by their dotted name."""
    assert load_function("publisher:publish", place)(an_answer("Hello")) == "published Hello"
    assert load_function("publisher:saver.save", place)(an_answer("Hello")) == "saver Hello"


def test_the_job_files_directory_shadows_nobody_for_long(place: Path) -> None:
    """First while the module is imported, last afterwards: a `wave.py` of the user's is the user's alone."""
    place.joinpath("wave.py").write_text("def f(item): return 'mine'", encoding="utf-8")
    load_function("publisher:publish", place)
    assert sys.path[-1] == str(place)
    assert sys.path.count(str(place)) == 1
    assert load_function("wave:f", place)(an_answer()) == "mine"
    assert sys.path.count(str(place)) == 1


@pytest.mark.parametrize("target", ["publisher", "publisher:", ":publish", "", "jobs/publisher.py:publish"])
def test_a_target_that_is_none_is_explained(target: str, place: Path) -> None:
    """The form that is asked for, with an example."""
    assert refusal(target, place).startswith("write it as module:function, such as publish:save")


def test_a_missing_module_is_named_with_the_place_where_it_would_be_found(place: Path) -> None:
    """What to do: put it there, or install it."""
    what = refusal("pubisher:publish", place)
    assert what == f"there is no module pubisher; put pubisher.py into {place}, or install it"
    assert "there is no module no.such" in refusal("no.such:publish", place)


def test_a_missing_function_is_answered_with_those_that_are_there(place: Path) -> None:
    """A typo is seen at a glance."""
    what = refusal("publisher:publsh", place)
    assert what == f"{place / 'publisher.py'} has no publsh; it has publish, save"
    assert refusal("side_of_it:publish", place).endswith("it has no function at all")


def test_what_cannot_be_called_is_said_to_be_so(place: Path) -> None:
    """A value, or a method without its object."""
    assert refusal("publisher:size", place) == f"size in {place / 'publisher.py'} is a int and cannot be called"
    assert "needs an object of Saver" in refusal("publisher:Saver.save", place)


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("import no_such_module_at_all", "ModuleNotFoundError: No module named 'no_such_module_at_all' (broken.py:1)"),
        ("x = 1\n1 / 0", "ZeroDivisionError: division by zero (broken.py:2)"),
        ("def f(item:", "SyntaxError"),
        ("raise SystemExit(3)", "SystemExit: 3 (broken.py:1)"),
    ],
)
def test_a_module_that_fails_as_it_is_imported_is_the_users_to_mend(source: str, what: str, place: Path) -> None:
    """The error and its line, no traceback; even a module that would end the program."""
    place.joinpath("broken.py").write_text(source, encoding="utf-8")
    said = refusal("broken:f", place)
    assert said.startswith(what)
    assert said.endswith("; broken fails as it is imported: mend it")
