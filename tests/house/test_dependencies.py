"""What is imported is declared, and what is declared is imported."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator

from tests.house.tree import ROOT, Module, package


def declared() -> set[str]:
    project = tomllib.loads(ROOT.joinpath("pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {re.split(r"[^\w-]", requirement)[0].replace("-", "_") for requirement in project["dependencies"]}


def imported() -> set[str]:
    tops = {name.partition(".")[0] for module in package() for name in _imports(module)}
    return tops - sys.stdlib_module_names - {"batchrun"}


def test_the_package_declares_what_it_imports() -> None:
    """A package that is there only because another one needs it today may be gone tomorrow; one that is not imported
    costs each set-up for nothing."""
    assert imported() == declared()


def _imports(module: Module) -> Iterator[str]:
    for node in ast.walk(module.syntax):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
