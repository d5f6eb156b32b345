"""A reader holds one file in the head: nothing is long."""

from __future__ import annotations

import ast

from tests.house.tree import functions, package, surroundings

FUNCTION_LINES = 50
MODULE_LINES = 400


def test_no_function_is_longer_than_a_screen() -> None:
    """Functions of the package have at most 50 lines from `def` to the end, docstring included."""
    long = [
        f"{module.place(function)} {function.name}: {length} lines"
        for module in package()
        for function in functions(module)
        if (length := _last_line(function) - function.lineno + 1) > FUNCTION_LINES
    ]
    assert long == []


def test_no_module_outgrows_one_sitting() -> None:
    """Modules have at most 400 lines, in the tests too."""
    long = [
        f"{module.name}: {length} lines"
        for module in (*package(), *surroundings())
        if (length := len(module.source.splitlines())) > MODULE_LINES
    ]
    assert long == []


def _last_line(node: ast.stmt) -> int:
    assert node.end_lineno is not None
    return node.end_lineno
