"""What the journal is made to do before the power goes: a night of each kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product

from batchrun.journal.log import distrust_mark
from tests.journal.builders import damage
from tests.journal.crash.stage import Stage

# From the start to the end of two commits; a test counts them.
OPERATIONS_OF_A_FIRST_RUN = 19
OPERATIONS_OF_A_REPAIR = 41
SYNCS_OF_A_FILE = 3

Workload = Callable[[Stage], None]


def first_run(stage: Stage) -> None:
    stage.run([stage.answer("a")], [stage.answer("b")], [stage.failure("c")])


def resume(stage: Stage) -> None:
    stage.run_plainly(stage.answer("a"), stage.failure("b"))
    stage.begin_recording()
    stage.run([stage.answer("b"), stage.answer("c")])


def many_at_once(stage: Stage) -> None:
    stage.run([stage.answer(f"n{number}") for number in range(16)], [stage.answer("z")])


def adoption(stage: Stage) -> None:
    stage.run_plainly(*(stage.answer(id) for id in "abc"))
    cut_lines(stage, 2)
    stage.begin_recording()
    stage.run([stage.answer("d")])


def torn_ends(stage: Stage) -> None:
    stage.run_plainly(*(stage.answer(id) for id in "abc"))
    tear(stage)
    stage.begin_recording()
    stage.run([stage.answer("d")])


def damaged_checkpoint(stage: Stage) -> None:
    stage.run_plainly(*(stage.answer(id) for id in "abc"))
    spoil(stage)
    stage.begin_recording()
    stage.run([stage.answer("d")])


def lost_checkpoints(stage: Stage) -> None:
    stage.run_plainly(*(stage.answer(id) for id in "abc"))
    stage.state.checkpoint.unlink()
    stage.begin_recording()
    stage.run([stage.answer("d")])


def distrusted(stage: Stage) -> None:
    stage.run_plainly(*(stage.answer(id) for id in "abc"))
    for path in (stage.state.results, stage.state.checkpoint):
        distrust_mark(path).touch()
    stage.begin_recording()
    stage.run([stage.answer("d")])


def refused_sync(name: str, after: int, stage: Stage) -> None:
    """An fsync fails, at the start or in mid-run; the next run goes on, and the disk says that all is well."""
    stage.run([stage.answer("a")])
    stage.disk.refused = (name, after)
    stage.run_plainly(stage.answer("x"), stage.answer("y"))
    stage.run([stage.answer("b"), stage.answer("c")])


def full_disk(stage: Stage) -> None:
    """The disk fills up in the middle of a batch; the next run finds room."""
    stage.run([stage.answer("a")])
    stage.disk.room = 1200
    stage.run([stage.answer(id) for id in "bcde"])
    stage.disk.room = None
    stage.run([stage.answer("f")])


def failures(stage: Stage) -> None:
    for _ in range(3):
        stage.run([stage.failure("a"), stage.failure("b")])
    stage.run([stage.answer("a")])


def killed(first: Callable[[Stage], None], operation: int, stage: Stage) -> None:
    """A run is killed at one of its operations, and the power goes while the next one is at work."""
    first(stage)
    stage.kill(operation, stage.answer("x"), stage.answer("y"))
    stage.run_plainly(stage.answer("z"))


def nothing(stage: Stage) -> None:
    """Nothing was there."""


def broken_twice(stage: Stage) -> None:
    """Both ends are torn, a checkpoint in the middle is bad, and results.jsonl is distrusted."""
    stage.run_plainly(*(stage.answer(id) for id in "abc"))
    tear(stage)
    spoil(stage)
    distrust_mark(stage.state.results).touch()
    stage.begin_recording()


def cut_lines(stage: Stage, lines: int) -> None:
    """The last checkpoints were never written."""
    damage(stage.state.checkpoint, lambda data: b"".join(data.splitlines(keepends=True)[:-lines]))


def tear(stage: Stage) -> None:
    """The last checkpoint is a stub, and so is a fourth result."""
    damage(stage.state.checkpoint, lambda data: data[:-30])
    damage(stage.state.results, lambda data: data + b'{"id":"torn","status":"done","te')


def spoil(stage: Stage) -> None:
    """A byte of the second checkpoint is bad."""
    damage(stage.state.checkpoint, lambda data: data.replace(b'"done"', b'"dome"', 1))


def workloads() -> Iterator[tuple[str, Workload]]:
    """All of them by name; of those that are killed one for each operation."""
    plain: list[Workload] = [first_run, resume, many_at_once, adoption, torn_ends, damaged_checkpoint]
    plain += [lost_checkpoints, distrusted, full_disk, failures]
    for workload in plain:
        yield workload.__name__, workload
    for name, after in product(("results.jsonl", "checkpoint.jsonl"), range(SYNCS_OF_A_FILE)):
        yield f"sync {after} of {name} refused", partial(refused_sync, name, after)
    for first, operations in ((nothing, OPERATIONS_OF_A_FIRST_RUN), (broken_twice, OPERATIONS_OF_A_REPAIR)):
        for operation in range(operations):
            yield f"{first.__name__}, killed at {operation}", partial(killed, first, operation)
