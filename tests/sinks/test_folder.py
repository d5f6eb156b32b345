"""A file an answer: whole or not there, under a name that says how it ended."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path

import orjson
import pytest

from batchrun.errors import ConfigError, ExitCode
from batchrun.journal.disk import Disk
from batchrun.outcome import Status
from batchrun.sinks.folder import FolderSink
from batchrun.sinks.sink import SinkItem
from batchrun.stream.pipe import SinkFailed
from tests.journal.disks import DiskInMemory, DiskThatFillsUp, DiskThatTakesLittle, DiskWithDiary
from tests.sinks.fakes import an_answer

TOOL = [{"type": "text", "text": "Hello"}, {"type": "tool_use", "id": "t", "name": "search", "input": {"q": "x"}}]


async def deliver(directory: Path, *items: SinkItem, disk: Disk | None = None) -> None:
    sink = FolderSink(directory, disk or DiskInMemory())
    try:
        await sink.open()
        for item in items:
            await sink.deliver(item)
    finally:
        await sink.close()


def files(directory: Path) -> dict[str, str]:
    """All files, hidden ones too."""
    return {path.name: path.read_text(encoding="utf-8") for path in directory.iterdir()}


async def test_each_answer_becomes_a_file(tmp_path: Path) -> None:
    """The text exactly, nothing added; the directory is made."""
    texts = {"a": "Hello\n", "b": "", "c": "文 \r\n\u2028 ends without a newline"}
    await deliver(tmp_path / "deep" / "out", *(an_answer(text, id) for id, text in texts.items()))
    found = {path.name: path.read_bytes().decode() for path in (tmp_path / "deep" / "out").iterdir()}
    assert found == {f"{id}.txt": text for id, text in texts.items()}


async def test_an_answer_with_more_than_text_is_a_document(tmp_path: Path) -> None:
    """Tool input would be lost in a text; thinking is no part of the answer."""
    thinking = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Hello"}]
    await deliver(tmp_path, an_answer(id="a", content=TOOL, usage={"output_tokens": 3}), an_answer(content=thinking))
    assert files(tmp_path) == {"a.txt": "Hello"}
    await deliver(tmp_path, an_answer(id="b", content=TOOL, usage={"output_tokens": 3}))
    assert orjson.loads(files(tmp_path)["b.json"]) == {
        "id": "b",
        "status": "done",
        "stop_reason": "end_turn",
        "text": "Hello",
        "content": TOOL,
        "usage": {"output_tokens": 3},
    }


async def test_half_an_answer_is_never_taken_for_one(tmp_path: Path) -> None:
    """Only what is done has the plain name."""
    await deliver(
        tmp_path,
        an_answer("Hel", "a", Status.INCOMPLETE),
        an_answer("I can", "b", Status.REFUSED),
        an_answer("Hel", "Row 3", Status.INCOMPLETE),
    )
    names = sorted(files(tmp_path))
    assert names[1:] == ["a~incomplete.txt", "b~refused.txt"]
    assert names[0].startswith("Row%203~")
    assert names[0].endswith("~incomplete.txt")


@pytest.mark.parametrize("second", [an_answer("new"), an_answer(content=TOOL), an_answer("n", status=Status.REFUSED)])
async def test_an_answer_that_comes_again_replaces_the_older_one(second: SinkItem, tmp_path: Path) -> None:
    """Whatever its kind: there is one file an item, and no other item's is touched."""
    others = [an_answer("other", "a~incomplete"), an_answer("other", "aa")]
    await deliver(tmp_path, *others, an_answer("Hel", status=Status.INCOMPLETE), an_answer("old"))
    before = files(tmp_path)
    await deliver(tmp_path, second)
    after = files(tmp_path)
    assert before.pop("a.txt") == "old"
    assert "a.txt" not in before
    assert len(after) == len(before) + 1
    assert before.items() <= after.items()


async def test_no_id_leads_out_of_the_directory(tmp_path: Path) -> None:
    """Nor do two ids share a file, in whatever case they are written."""
    ids = ["../up", "/tmp/abs", "..", ".", "a/b", "A", "a", "nul", "x" * 5000, "\0", "~", "a\\b"]
    out = tmp_path / "out"
    await deliver(out, *(an_answer(id, id) for id in ids))
    assert sorted(files(out).values()) == sorted(ids)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert len({name.lower() for name in files(out)}) == len(ids)


async def test_a_file_is_durable_before_it_has_its_name(tmp_path: Path) -> None:
    """The item counts as finished after that, so a power cut must not take the file back. Owner's eyes only."""
    disk = DiskWithDiary()
    await deliver(tmp_path, an_answer(), disk=disk)
    assert disk.diary == [("write", ".a.txt"), ("sync", ".a.txt"), ("replace", "a.txt"), ("sync", "directory")]
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o600


async def test_a_full_disk_fails_the_item_and_leaves_nothing_torn(tmp_path: Path) -> None:
    """The older answer stays whole; no draft is left; the message names the file."""
    await deliver(tmp_path, an_answer("old answer"))
    with pytest.raises(SinkFailed, match=r"--out-dir .*: a\.txt cannot be written \(No space left on device\)"):
        await deliver(tmp_path, an_answer("a new answer"), disk=DiskThatFillsUp(5))
    assert files(tmp_path) == {"a.txt": "old answer"}


async def test_a_disk_that_takes_little_at_a_time_gets_it_all(tmp_path: Path) -> None:
    """A short write is no end."""
    await deliver(tmp_path, an_answer("x" * 1000), disk=DiskThatTakesLittle(7))
    assert files(tmp_path) == {"a.txt": "x" * 1000}


async def test_what_a_kill_left_behind_is_written_over(tmp_path: Path) -> None:
    """A draft of a killed run is no answer, and does not stay when the item comes again."""
    tmp_path.joinpath(".a.txt").write_text("half of an", encoding="utf-8")
    await deliver(tmp_path, an_answer("whole"))
    assert files(tmp_path) == {"a.txt": "whole"}


async def test_many_answers_at_once_are_all_there(tmp_path: Path) -> None:
    """Several threads, one directory."""
    sink = FolderSink(tmp_path, DiskInMemory())
    async with asyncio.TaskGroup() as group:
        for number in range(100):
            group.create_task(sink.deliver(an_answer(f"text {number}", str(number))))
    await sink.close()
    assert files(tmp_path) == {f"{number}.txt": f"text {number}" for number in range(100)}


async def test_a_directory_that_cannot_be_is_refused_at_the_start(tmp_path: Path) -> None:
    """Before anything is spent: a file in its place, or no permission."""
    tmp_path.joinpath("file").touch()
    with pytest.raises(ConfigError, match="name a directory that can be written") as caught:
        await deliver(tmp_path / "file")
    assert caught.value.exit_code is ExitCode.BAD_CONFIG
    if os.geteuid() != 0:  # who may do everything cannot be refused
        tmp_path.joinpath("locked").mkdir(0o500)
        with pytest.raises(ConfigError, match="Permission denied"):
            await deliver(tmp_path / "locked")


async def test_opening_leaves_nothing_behind(tmp_path: Path) -> None:
    """The try-out is cleared away."""
    await deliver(tmp_path)
    assert files(tmp_path) == {}
    assert repr(FolderSink(tmp_path)) == f"<FolderSink {tmp_path}>"
