"""The simulator as a process: how it starts, what it refuses, and all the ways in which it ends."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from batchrun.errors import ConfigError, ExitCode, StateError
from batchrun.simulator.process import start_simulator
from tests.simulator.wire import PATIENCE_SECONDS, Wire, body_of, stats_of

COMMAND = [sys.executable, "-P", "-m", "batchrun.simulator"]

PARENT = """
import sys
from batchrun.simulator.process import start_simulator
simulator = start_simulator("instant")
print(simulator.port, flush=True)
sys.stdin.read()
"""


def test_it_serves_until_it_is_closed() -> None:
    """A context manager that knows its port, its address and its pid; closing twice is once."""
    with start_simulator() as simulator:
        assert simulator.base_url == f"http://127.0.0.1:{simulator.port}"
        assert stats_of(simulator.port)["requests"] == 1
        assert os.getsid(simulator.pid) == simulator.pid  # a session of its own: Ctrl-C does not reach it
        assert "running" in repr(simulator)
    assert "ended" in repr(simulator)
    with pytest.raises(ConnectionRefusedError):
        Wire(simulator.port)
    simulator.close()


def test_it_closes_in_the_middle_of_a_stream() -> None:
    """What is in flight is cut off; nobody waits for it."""
    with start_simulator(extra=["--ttft", "0", "--tokens-per-second", "1"]) as simulator, Wire(simulator.port) as wire:
        wire.ask(body_of("slowly", stream=True))
        assert wire.response().status == 200
        simulator.close()


def test_it_ends_when_its_parent_is_killed() -> None:
    """SIGKILL leaves the parent no time to close anything: the end of stdin is enough."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        port = int(parent.stdout.readline())
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) as witness:
            parent.kill()
            parent.wait()
            assert witness.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            Wire(port)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_served_alone_it_ends_on_a_signal_only(number: signal.Signals) -> None:
    """`--forever` outlives its stdin and exits 0, with nothing on stderr."""
    with subprocess.Popen(
        [*COMMAND, "--forever"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith('{"port": ')
        process.send_signal(number)
        assert process.wait(PATIENCE_SECONDS) == 0
        assert process.stderr.read() == ""


def test_an_unknown_scenario_starts_nothing() -> None:
    """The caller's own process says so."""
    with pytest.raises(ConfigError, match="'ruff' is unknown: use one of calm"):
        start_simulator("ruff")


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (["--tokens-per-second", "-1"], "tokens_per_second is -1.0: give 0 or more"),
        (["--log", "/nowhere/at/all"], "the log cannot be written (No such file or directory)"),
        (["--unheard-of"], "unrecognized arguments: --unheard-of"),
        (["--port", "70000"], "port 70000 is none: they end at 65535"),
    ],
)
def test_a_refused_option_is_passed_on(extra: list[str], words: str) -> None:
    """What the process said on stderr reaches the caller, as an error of configuration."""
    with pytest.raises(ConfigError) as caught:
        start_simulator(extra=extra)
    assert words in str(caught.value)


def test_a_taken_port_is_named() -> None:
    """Exit code 78, and one line, no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = subprocess.run(
            [*COMMAND, "--port", port], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    assert result.returncode == ExitCode.BAD_CONFIG
    assert result.stderr.startswith(f"batchrun: port {port} is in use on 127.0.0.1; choose another")
    assert result.stderr.count("\n") == 1


def test_a_process_that_says_nothing_is_an_error_of_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python that ends before it serves: its exit code and what to try."""
    monkeypatch.setattr(sys, "executable", shutil.which("true"))
    with pytest.raises(StateError, match=r"did not start \(exit 0\): it said nothing; try `/.*/true -m"):
        start_simulator()


def test_files_beside_the_job_file_are_no_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory with a select.py or a json.py of the user's own does not break the server."""
    for name in ("select.py", "json.py", "asyncio.py"):
        (tmp_path / name).write_text("raise SystemExit('not me')", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with start_simulator() as simulator:
        assert stats_of(simulator.port)["requests"] == 1


def test_starting_imports_neither_the_sdk_nor_rich() -> None:
    """A start is a tenth of a second; the SDK alone is a whole one."""
    code = "import sys, batchrun.simulator.__main__, batchrun.simulator.process; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"anthropic", "rich", "typer", "httpx2", "psutil", "pydantic"} & set(modules)
