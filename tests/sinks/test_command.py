"""A shell command for each answer, with real shells: what it gets, what is said when it fails, and that none outlives
the run."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from batchrun.errors import ConfigError
from batchrun.outcome import Status
from batchrun.sinks import command as commands
from batchrun.sinks.command import KEPT_ERROR, CommandSink
from batchrun.stream.pipe import SinkFailed
from tests.sinks.fakes import an_answer


async def failure_of(sink: CommandSink, text: str = "Hello") -> str:
    with pytest.raises(SinkFailed) as caught:
        await sink.deliver(an_answer(text))
    assert str(caught.value).startswith(f"{sink.name}: ")
    return str(caught.value).removeprefix(f"{sink.name}: ")


def is_alive(pid: int) -> bool:
    """Whether it still runs; what has ended and waits for its parent does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def pid_in(path: Path) -> int:
    """What a command wrote there once it was up."""
    async with asyncio.timeout(10):
        while not (path.exists() and path.read_text(encoding="utf-8").endswith("\n")):
            await asyncio.sleep(0.005)
    return int(path.read_text(encoding="utf-8"))


async def until_dead(pid: int) -> None:
    async with asyncio.timeout(10):
        while is_alive(pid):
            await asyncio.sleep(0.005)


# -- what it gets ------------------------------------------------------------------------------------------------------


async def test_a_command_gets_the_text_and_the_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On standard input, exactly, and in the environment; in the run's own directory."""
    monkeypatch.chdir(tmp_path)
    text = "Hello\n文, without a newline at the end" + "x" * 200_000
    sink = CommandSink('cat > "$BATCHRUN_ID.txt"; echo "$BATCHRUN_STATUS $BATCHRUN_MODEL" > told')
    await sink.open()
    await sink.deliver(an_answer(text, "row 1", Status.INCOMPLETE))
    await sink.close()
    assert tmp_path.joinpath("row 1.txt").read_text(encoding="utf-8") == text
    assert tmp_path.joinpath("told").read_text(encoding="utf-8") == "incomplete claude-haiku-5-5\n"


@pytest.mark.parametrize("command", ["true", "exec <&-", "head -c 1", ": | cat"])
async def test_a_command_need_not_read(command: str) -> None:
    """Nobody writes into a pipe that could break, however much was left unread."""
    await CommandSink(command).deliver(an_answer("x" * 1_000_000))


async def test_an_id_is_never_read_as_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes in the environment, so it stays a word whatever is in it; a zero byte, which no environment holds, is
    shown as such."""
    monkeypatch.chdir(tmp_path)
    sink = CommandSink('printf %s "$BATCHRUN_ID" > told')
    for id in ("$(touch hacked)", "`touch hacked`; touch hacked", "文", "a\nb"):
        await sink.deliver(an_answer(id=id))
        assert tmp_path.joinpath("told").read_text(encoding="utf-8") == id
    await sink.deliver(an_answer(id="a\0b"))
    assert tmp_path.joinpath("told").read_text(encoding="utf-8") == "a\ufffdb"
    assert not tmp_path.joinpath("hacked").exists()


async def test_the_runs_own_output_stays_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    """What a command prints would break the run's `--json`, and cron would send mail about it."""
    await CommandSink("echo out; echo err >&2").deliver(an_answer())
    assert capfd.readouterr() == ("", "")


async def test_commands_overlap(tmp_path: Path) -> None:
    """Each of these two waits until it has seen the other one."""
    meet = f'cd {tmp_path}; : > "$BATCHRUN_ID"; until [ -e a ] && [ -e b ]; do sleep 0.002; done'
    sink = CommandSink(meet, parallel=2, time_limit=10)
    async with asyncio.TaskGroup() as group:
        group.create_task(sink.deliver(an_answer(id="a")))
        group.create_task(sink.deliver(an_answer(id="b")))


async def test_so_many_run_at_once_and_no_more(tmp_path: Path) -> None:
    """A file for each that runs: never more than two are there; all have their turn."""
    busy = tmp_path / "busy"
    busy.mkdir()
    sink = CommandSink(f'cd {busy}; : > "$BATCHRUN_ID"; sleep 0.01; ls | wc -l >> ../seen; rm "$BATCHRUN_ID"', 2)
    async with asyncio.TaskGroup() as group:
        for number in range(6):
            group.create_task(sink.deliver(an_answer(id=str(number))))
    seen = [int(line) for line in tmp_path.joinpath("seen").read_text(encoding="utf-8").split()]
    assert len(seen) == 6
    assert max(seen) <= 2


# -- when it fails -----------------------------------------------------------------------------------------------------


async def test_a_failing_command_tells_why() -> None:
    """The exit status and what it said on standard error, on one line."""
    assert await failure_of(CommandSink("echo cannot >&2; echo save >&2; exit 3")) == "exit status 3: cannot save"
    assert await failure_of(CommandSink("exit 3")) == "exit status 3"
    assert await failure_of(CommandSink("kill -9 $$")) == "was ended by SIGKILL"
    assert (await failure_of(CommandSink("no-such-program-here"))).startswith("exit status 127 (no such command): ")


async def test_the_last_2_kb_of_its_words_are_kept() -> None:
    """The reason stands at the end of an error, and a million lines of it must not stand in the checkpoint."""
    words = await failure_of(CommandSink("yes chatter | head -c 1000000 >&2; echo the reason >&2; exit 1"))
    assert words.endswith("chatter the reason")
    assert len(words) == len("exit status 1: ") + KEPT_ERROR


async def test_a_secret_of_the_environment_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command inherits the run's environment, and some programs print theirs when they fail."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-canary-7c1f")
    words = await failure_of(CommandSink("env >&2; exit 1"))
    assert "canary" not in words
    assert "ANTHROPIC_API_KEY=***" in words


def test_a_secret_in_the_command_is_not_in_its_name() -> None:
    """The name is printed at the start and stands in each failure; the shell had filled in the key."""
    sink = CommandSink("curl -H 'Authorization: Bearer canary-7c1f' h")
    assert "canary" not in sink.name + repr(sink)
    assert "Bearer ***" in sink.name


async def test_an_environment_that_is_too_large_fails_the_item() -> None:
    """The system refuses to start it; no traceback."""
    with pytest.raises(SinkFailed, match="cannot be started"):
        await CommandSink("true").deliver(an_answer(id="x" * 3_000_000))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CommandSink("  "), "--each is empty"),
        (lambda: CommandSink("true", parallel=0), "0 commands at once; give 1 or more"),
    ],
)
def test_what_can_never_run_is_refused_at_the_start(make: Any, message: str) -> None:
    """A bad setting, before anything is spent."""
    with pytest.raises(ConfigError, match=message):
        make()


# -- its end -----------------------------------------------------------------------------------------------------------


async def test_a_command_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    """The shell and its children are one group; the message says the limit and its last words."""
    sink = CommandSink(f"echo waiting >&2; sleep 60 & echo $! > {tmp_path}/pid; wait", time_limit=0.2)
    assert await failure_of(sink) == "has not ended within 0.2 s: waiting"
    await until_dead(await pid_in(tmp_path / "pid"))


@pytest.mark.parametrize("manners", ["", "trap '' TERM; "])
async def test_a_run_that_is_stopped_leaves_no_orphan(
    manners: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked to end, and made to if it does not listen."""
    monkeypatch.setattr(commands, "GRACE", 0.05)
    sink = CommandSink(f"{manners}(sleep 60; :) & echo $! > {tmp_path}/child; echo $$ > {tmp_path}/shell; wait; wait")
    task = asyncio.create_task(sink.deliver(an_answer()))
    shell, child = await pid_in(tmp_path / "shell"), await pid_in(tmp_path / "child")
    assert is_alive(shell)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until_dead(shell)
    await until_dead(child)


async def test_a_command_may_clean_up_before_it_ends(tmp_path: Path) -> None:
    """It is asked first: there is time for a trap."""
    sink = CommandSink(f"trap 'echo cleaned > {tmp_path}/trap; exit' TERM; echo $$ > {tmp_path}/shell; sleep 60 & wait")
    task = asyncio.create_task(sink.deliver(an_answer()))
    await pid_in(tmp_path / "shell")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert tmp_path.joinpath("trap").read_text(encoding="utf-8") == "cleaned\n"


@pytest.mark.parametrize(("number", "name"), [(signal.SIGTERM, "SIGTERM"), (signal.SIGRTMIN + 6, "signal")])
async def test_a_command_that_a_signal_has_ended_is_told_so(number: int, name: str) -> None:
    """Also one that has no name of its own."""
    with pytest.raises(SinkFailed, match=f"was ended by {name}"):
        await CommandSink(f"kill -{int(number)} $$").deliver(an_answer())


async def test_what_a_command_leaves_in_the_background_holds_up_nobody(tmp_path: Path) -> None:
    """It keeps standard error open, and yet the item is finished when the command itself is."""
    sink = CommandSink(f"sleep 60 & echo $! > {tmp_path}/pid", time_limit=10)
    await sink.deliver(an_answer())
    pid = await pid_in(tmp_path / "pid")
    assert is_alive(pid)  # the user's own affair
    os.kill(pid, signal.SIGKILL)


async def test_a_signal_for_the_run_is_not_one_for_its_commands(tmp_path: Path) -> None:
    """A group of its own: Ctrl-C in the terminal drains the run and does not break a command in the middle."""
    tell = "import os; print(os.getpgrp())"
    await CommandSink(f"{shlex.quote(sys.executable)} -c '{tell}' > {shlex.quote(str(tmp_path))}/group").deliver(
        an_answer()
    )
    assert await pid_in(tmp_path / "group") != os.getpgrp()
