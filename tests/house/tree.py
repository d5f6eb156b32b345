"""The package as syntax: what the house rules are checked on. Nothing here imports the package."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Module:
    """One source file; `name` is dotted, `place(node)` is what an editor opens."""

    name: str
    path: Path
    source: str
    syntax: ast.Module

    def place(self, node: ast.AST) -> str:
        return f"{self.path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"

    def is_in(self, rooms: frozenset[str]) -> bool:
        return any(self.name == room or self.name.startswith(f"{room}.") for room in rooms)


@cache
def package() -> tuple[Module, ...]:
    return tuple(_modules_below("batchrun"))


@cache
def surroundings() -> tuple[Module, ...]:
    return (*_modules_below("tests"), *_modules_below("tools"))


def _modules_below(directory: str) -> Iterator[Module]:
    for path in sorted(ROOT.joinpath(directory).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        source = path.read_text(encoding="utf-8")
        yield Module(".".join(parts).removesuffix(".__init__"), path, source, ast.parse(source))


def functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(module.syntax):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def calls(module: Module) -> Iterator[tuple[str, ast.Call]]:
    """Each call with the last word of what is called: `create_task` for `group.create_task(...)`."""
    for node in ast.walk(module.syntax):
        if isinstance(node, ast.Call):
            match node.func:
                case ast.Name(id=word) | ast.Attribute(attr=word):
                    yield word, node


def contracts() -> list[dict[str, Any]]:
    """The import contracts as pyproject.toml has them."""
    settings = tomllib.loads(ROOT.joinpath("pyproject.toml").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = settings["tool"]["importlinter"]["contracts"]
    return found
