"""What decides neither waits nor reads nor asks the time nor rolls dice.

The import contract keeps clocks, files and dice out of the pure modules; here is what needs no import for it.
"""

from __future__ import annotations

import ast

import pytest

from tests.house.tree import Module, calls, contracts, package

ASKS_THE_WORLD = frozenset({"input", "now", "open", "print", "today", "utcnow"})
WAITS = (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await)


def pure_modules() -> list[Module]:
    pure = [contract for contract in contracts() if contract["name"].startswith("Pure modules")]
    names = {name for contract in pure for name in contract["source_modules"]}
    return [module for module in package() if module.name in names]


def test_the_contracts_know_pure_modules() -> None:
    """The list below is not empty because a contract was renamed."""
    assert len(pure_modules()) > 10


@pytest.mark.parametrize("module", pure_modules(), ids=lambda module: module.name)
def test_a_pure_module_is_told_everything(module: Module) -> None:
    """No `open`, `print`, `input`, `now` or `today` is called in it, and nothing in it is awaited."""
    questions = [f"{module.place(call)} {word}" for word, call in calls(module) if word in ASKS_THE_WORLD]
    waits = [module.place(node) for node in ast.walk(module.syntax) if isinstance(node, WAITS)]
    assert questions + waits == []
