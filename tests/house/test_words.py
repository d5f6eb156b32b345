"""Modules are named by what they are, and say first where they end."""

from __future__ import annotations

import ast

from tests.house.tree import package, surroundings

# Names that say nothing about what is inside, and so attract everything.
EMPTY_NAMES = frozenset({"base", "common", "core", "helper", "helpers", "manager", "misc", "util", "utils"})


def test_no_module_is_a_drawer_for_everything() -> None:
    """No module or package is named utils, helpers, common, manager and the like, alone or as one of its words."""
    drawers = [module.name for module in package() if EMPTY_NAMES & set(module.name.replace("_", ".").split("."))]
    assert drawers == []


def test_each_module_says_what_belongs_in_it() -> None:
    """Each module of the package, of the tests and of the tools begins with a docstring."""
    silent = [
        module.name
        for module in (*package(), *surroundings())
        if module.source.strip() and not ast.get_docstring(module.syntax)
    ]
    assert silent == []
