"""Which items an export has, in which order, and with which of their results."""

from __future__ import annotations

import gzip
import io
import tracemalloc
from pathlib import Path

import orjson
import pytest

from batchrun.errors import JobFileUnreadable
from batchrun.export.choices import Order
from batchrun.export.items import KINDS, PENDING, Items
from batchrun.jobs.spool import spool
from batchrun.journal.state import StateDir
from batchrun.outcome import Status
from tests.export.nights import failed, finish, outcome, state_in, write_jobs


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return state_in(tmp_path)


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    return write_jobs(tmp_path / "jobs.jsonl", "a", "b", "c", "d")


def kinds_of(items: Items) -> list[tuple[str, str]]:
    return [(id, PENDING if result is None else result["status"]) for id, result in items]


def test_items_come_as_the_job_file_has_them(state: StateDir, jobs: Path) -> None:
    """Whatever the order in which they ended; what is pending stands where it belongs."""
    finish(state, outcome("d"), failed("b"), outcome("a"))
    items = Items(state, jobs, Order.INPUT)
    assert kinds_of(items) == [("a", "done"), ("b", "failed"), ("c", "pending"), ("d", "done")]
    assert items.counts == {"done": 2, "failed": 1, "pending": 1}


def test_items_come_as_they_ended(state: StateDir, jobs: Path) -> None:
    """Then what is pending, as the job file has it."""
    finish(state, outcome("d"), failed("b"))
    assert [id for id, _ in Items(state, jobs, Order.FINISHED)] == ["d", "b", "a", "c"]


@pytest.mark.parametrize("order", Order)
def test_each_item_has_the_result_that_counts(state: StateDir, jobs: Path, order: Order) -> None:
    """An answer before a failure, else the newer one; and each item comes once."""
    finish(state, failed("a", "silent", None, final=False), outcome("b", text="old"))
    finish(state, outcome("a", text="yes"), outcome("b", text="new"), failed("b"))
    found = {id: result["text"] for id, result in Items(state, jobs, order) if result}
    assert found == {"a": "yes", "b": "new"}
    assert len(list(Items(state, jobs, order))) == 4


@pytest.mark.parametrize("order", Order)
def test_an_answer_to_a_changed_line_is_its_items_still(state: StateDir, jobs: Path, order: Order) -> None:
    """It was kept when the line changed, and it is kept here."""
    finish(state, outcome("a", request="what was asked then"))
    assert ("a", "done") in kinds_of(Items(state, jobs, order))


def test_only_what_is_wanted_comes(state: StateDir, jobs: Path) -> None:
    """All are counted all the same."""
    finish(state, outcome("d"), failed("b"))
    items = Items(state, jobs, Order.INPUT, frozenset({"failed", "pending"}))
    assert kinds_of(items) == [("a", "pending"), ("b", "failed"), ("c", "pending")]
    assert items.counts["done"] == 1


def test_every_kind_can_be_wanted() -> None:
    """The four ends of an item, and that it has not come to one."""
    assert set(KINDS) == {*Status, "pending"}


def test_answers_whose_lines_are_gone_are_counted(state: StateDir, jobs: Path) -> None:
    """They were paid: the order of their ends has them, and that of the file says how many it leaves out."""
    finish(state, outcome("gone"), outcome("a"))
    by_file, by_end = Items(state, jobs, Order.INPUT), Items(state, jobs, Order.FINISHED)
    assert "gone" not in dict(by_file)
    assert by_file.left_out == 1
    assert "gone" in dict(by_end)
    assert by_end.left_out == 0


def test_a_result_with_two_records_comes_once(state: StateDir, jobs: Path) -> None:
    """As a start leaves it that was killed while it adopted an answer."""
    finish(state, outcome("a"))
    lines = state.checkpoint.read_bytes().splitlines(keepends=True)
    state.checkpoint.write_bytes(b"".join([*lines, lines[-1]]))
    assert [id for id, result in Items(state, jobs, Order.FINISHED) if result] == ["a"]


def test_a_damaged_answer_counts_as_pending(state: StateDir, jobs: Path) -> None:
    """One that cannot be read is told, and costs no other one."""
    finish(state, outcome("a"), outcome("b"))
    content = state.results.read_bytes()
    state.results.write_bytes(content.replace(b"the answer to a", b"the Answer to a"))
    items = Items(state, jobs, Order.INPUT)
    assert kinds_of(items)[:2] == [("a", "pending"), ("b", "done")]
    assert (items.damaged, items.counts["pending"]) == (1, 3)


def test_a_damaged_record_costs_no_other_one(state: StateDir, jobs: Path) -> None:
    """A torn end is what a run is writing just now."""
    finish(state, outcome("a"), outcome("b"))
    state.checkpoint.write_bytes(state.checkpoint.read_bytes()[:-5])
    assert kinds_of(Items(state, jobs, Order.FINISHED)) == [
        ("a", "done"), ("b", "pending"), ("c", "pending"), ("d", "pending"),
    ]  # fmt: skip


def test_a_night_that_has_not_begun_is_all_pending(state: StateDir, jobs: Path) -> None:
    """No results are no error."""
    for path in (state.checkpoint, state.results):
        path.unlink()
    assert {kind for _, kind in kinds_of(Items(state, jobs, Order.INPUT))} == {"pending"}


def test_ids_are_found_in_every_dialect(state: StateDir, tmp_path: Path) -> None:
    """And in a file from Windows; what is no job was told by the run."""
    jobs = tmp_path / "jobs.jsonl"
    lines = [
        {"id": "a", "prompt": "x"},
        {"custom_id": "b", "params": {}},
        {"custom_id": "c", "body": {}},
        ["d"],
        {"x": 1},
    ]
    jobs.write_bytes(b"\xef\xbb\xbf" + b"\r\n".join([*map(orjson.dumps, lines), b"", b"not json"]))
    assert [id for id, _ in Items(state, jobs, Order.INPUT)] == ["a", "b", "c"]


@pytest.mark.parametrize("packed", [True, False])
def test_jobs_that_were_spooled_are_read_where_the_run_read_them(tmp_path: Path, state: StateDir, packed: bool) -> None:
    """Packed ones, and those that came on standard input."""
    content = write_jobs(tmp_path / "plain.jsonl", "a", "b").read_bytes()
    jobs = tmp_path / "jobs.jsonl.gz" if packed else Path("-")
    if packed:
        jobs.write_bytes(gzip.compress(content))
    spool(jobs, state, io.BytesIO(content))
    assert [id for id, _ in Items(state, jobs, Order.INPUT)] == ["a", "b"]


def test_without_its_job_file_only_the_order_of_their_ends_is_known(state: StateDir, tmp_path: Path) -> None:
    """What is finished can be had, and it is told that more cannot."""
    finish(state, outcome("b"), outcome("a"))
    gone = tmp_path / "gone.jsonl"
    with pytest.raises(JobFileUnreadable):
        list(Items(state, gone, Order.INPUT))
    items = Items(state, gone, Order.FINISHED)
    assert [id for id, _ in items] == ["b", "a"]
    assert "there is no such file" in (items.jobs_trouble or "")


def test_memory_grows_with_ids_and_not_with_text(state: StateDir, tmp_path: Path) -> None:
    """3,000 answers of 4 KB, backwards: a small share of the 12 MB at any time."""
    names = [f"item-{number:05d}" for number in range(3_000)]
    jobs = write_jobs(tmp_path / "jobs.jsonl", *names)
    finish(state, *(outcome(name, text="x" * 4_000, content=[]) for name in reversed(names)))
    tracemalloc.start()
    try:
        assert sum(result is not None for _, result in Items(state, jobs, Order.INPUT)) == 3_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 << 20
