"""Who may start what: tasks begin in one place, and an error is caught blindly in one place."""

from __future__ import annotations

import ast

from tests.house.tree import calls, package

STARTS_TASKS = frozenset(
    {"create_task", "ensure_future", "TaskGroup", "create_task_group", "start_soon", "start_server"}
)
# The engine is the run. A server handles each connection in a task of its own, and a bench is an engine of its own.
MAY_START_TASKS = frozenset({"batchrun.engine", "batchrun.simulator", "batchrun.bench"})

# A task without an owner, an end that leaves the others running, a timeout in a task of its own.
LOOSE = frozenset({"create_task", "ensure_future", "gather", "wait_for"})

# Around one attempt: a bug of ours ends that item and is told, it does not end the night.
MAY_CATCH_ALL = frozenset({"batchrun.attempts"})
# The meter stands between a coroutine and its caller, and throws on into the one what it caught from the other.
HANDS_ON = frozenset({"batchrun.stream.meter"})
BLIND = frozenset({"Exception", "BaseException"})


def test_only_the_engine_starts_tasks() -> None:
    """Outside the engine no task, task group or server is started."""
    elsewhere = [
        f"{module.place(call)} {word}"
        for module in package()
        if not module.is_in(MAY_START_TASKS)
        for word, call in calls(module)
        if word in STARTS_TASKS
    ]
    assert elsewhere == []


def test_tasks_live_in_groups_and_deadlines_in_timeouts() -> None:
    """asyncio's own `create_task`, `ensure_future`, `gather` and `wait_for` are called nowhere."""
    loose = [
        f"{module.place(call)} {word}"
        for module in package()
        for word, call in calls(module)
        if word in LOOSE and ast.unparse(call.func) in {word, f"asyncio.{word}"}
    ]
    assert loose == []


def test_errors_are_caught_blindly_in_one_place() -> None:
    """`except Exception` stands once, around one attempt; elsewhere what is caught blindly is raised again."""
    handlers = [
        (module, handler)
        for module in package()
        if not module.is_in(HANDS_ON)
        for handler in ast.walk(module.syntax)
        if _swallows_all(handler)
    ]
    elsewhere = [module.place(handler) for module, handler in handlers if not module.is_in(MAY_CATCH_ALL)]
    assert elsewhere == []
    assert len(handlers) <= 1, [module.place(handler) for module, handler in handlers]


def _swallows_all(node: ast.AST) -> bool:
    if not isinstance(node, ast.ExceptHandler):
        return False
    caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    is_blind = any(error is None or (isinstance(error, ast.Name) and error.id in BLIND) for error in caught)
    return is_blind and not _raises_again(node)


def _raises_again(handler: ast.ExceptHandler) -> bool:
    """The last statement is a bare `raise`: cleaning up and going on falling is no swallowing."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None
