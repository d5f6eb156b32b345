"""From `module:function` to the function itself. Imports the user's module; what the function is good for is decided in
`function.py`.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from batchrun.errors import ConfigError
from batchrun.sinks.blame import Blame
from batchrun.stream.pipe import SinkFailed


def load_function(target: str, directory: Path) -> Callable[..., object]:
    """The function that `--sink TARGET` names; `directory`, that of the job file, is on the import path.

    Raises:
        ConfigError: no such module or function, a module that fails when imported, or something that is no function.
    """
    name = f"--sink {target}"
    module_name, colon, path = target.partition(":")
    if not colon or not module_name or not path or "/" in module_name:
        raise ConfigError(f"{name}: write it as module:function, such as publish:save for `def save` in publish.py")
    module = _import(name, module_name, directory)
    thing: Any = module
    for part in path.split("."):
        holder = thing
        thing = getattr(holder, part, None)
        if thing is None:
            raise ConfigError(f"{name}: {_where(module)} has no {path}; {_offer(module)}")
    if not callable(thing):
        raise ConfigError(f"{name}: {path} in {_where(module)} is a {type(thing).__name__} and cannot be called")
    if isinstance(holder, type) and inspect.isfunction(thing):
        raise ConfigError(f"{name}: {path} needs an object of {holder.__name__}; make one in the module, and name that")
    return thing  # type: ignore[no-any-return]  # whatever can be called


def _import(name: str, module_name: str, directory: Path) -> ModuleType:
    importlib.invalidate_caches()
    try:
        with _first_on_path(directory), Blame(name):
            return importlib.import_module(module_name)
    except SinkFailed as failed:
        missing = failed.__cause__
        is_missing = isinstance(missing, ModuleNotFoundError) and f"{module_name}.".startswith(f"{missing.name}.")
        if is_missing:
            place = f"put {module_name}.py into {directory.absolute()}, or install it"
            raise ConfigError(f"{name}: there is no module {module_name}; {place}") from failed
        raise ConfigError(f"{failed}; {module_name} fails as it is imported: mend it") from failed


@contextmanager
def _first_on_path(directory: Path) -> Iterator[None]:
    """First while the user's module is imported, as for a program in that directory; last for what it imports later, so
    that a `queue.py` beside the job file never becomes the one that others mean."""
    place = str(directory.absolute())
    sys.path.insert(0, place)
    try:
        yield
    finally:
        sys.path.remove(place)
        if place not in sys.path:
            sys.path.append(place)


def _where(module: ModuleType) -> str:
    return str(getattr(module, "__file__", None) or module.__name__)


def _offer(module: ModuleType) -> str:
    functions = [
        name
        for name, thing in vars(module).items()
        if inspect.isfunction(thing) and thing.__module__ == module.__name__ and not name.startswith("_")
    ]
    return f"it has {', '.join(functions[:8])}" if functions else "it has no function at all"
