"""Answers handed on as they come: the installed program with each kind of sink, failing, resumed, and stopped."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from batchrun.simulator.process import SimulatorProcess
from tests.cli.program import (
    RequestPipe,
    asking,
    batchrun,
    expected_texts,
    prompts,
    records,
    start_batchrun,
    statuses,
    write_jobs,
)

SIMULATED = ("--simulate", "--scenario", "instant")
PUBLISH = """
import asyncio
import json

def note(**what):
    with open("heard.jsonl", "a") as file:
        file.write(json.dumps(what) + "\\n")

def save(item):
    note(sink="save", id=item.id, text=item.text, status=item.status, metadata=item.metadata)

async def later(item):
    await asyncio.sleep(0.01)
    note(sink="later", id=item.id, text=item.text)

def stream(item, delta):
    note(sink="stream", id=item.id, delta=delta, status=item.status)

async def hang(item):
    note(sink="hang", id=item.id)
    await asyncio.sleep(600)
"""
SHORT = "[[tokens=3]] number {}"


def publisher(directory: Path) -> Path:
    path = directory / "publish.py"
    path.write_text(PUBLISH, encoding="utf-8")
    return path


def heard_by(directory: Path, sink: str) -> list[dict[str, Any]]:
    path = directory / "heard.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [line for line in lines if line["sink"] == sink]


def test_every_kind_of_sink_gets_every_answer(tmp_path: Path) -> None:
    """A folder, functions of all kinds, a command: each as its kind wants it, with the text to the letter. Afterwards
    nothing is pending, and a sink that does not even exist is no reason to fail."""
    jobs = write_jobs(tmp_path / "jobs.jsonl", [job | {"metadata": {"row": job["id"]}} for job in prompts(3)])
    publisher(tmp_path)
    functions = [word for name in ("save", "later", "stream") for word in ("--sink", f"publish:{name}")]
    command = ("--each", 'cat > "$BATCHRUN_ID.$BATCHRUN_STATUS"; test "$BATCHRUN_MODEL" = claude-haiku-5-5')
    words = ("run", "jobs.jsonl", *SIMULATED)
    done = batchrun(*words, "--out-dir", "out", *functions, *command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "results.jsonl and to --out-dir out, --sink publish:save, " in done.stderr
    expected = expected_texts(jobs)
    for id, text in expected.items():
        assert (tmp_path / "out" / f"{id}.txt").read_text() == (tmp_path / f"{id}.done").read_text() == text
        [saved] = [line for line in heard_by(tmp_path, "save") if line["id"] == id]
        assert (saved["text"], saved["status"], saved["metadata"]) == (text, "done", {"row": id})
        *deltas, last = [line for line in heard_by(tmp_path, "stream") if line["id"] == id]
        assert "".join(line["delta"] for line in deltas) == text
        assert {line["status"] for line in deltas} == {None}
        assert (last["delta"], last["status"]) == (None, "done")
    assert {line["id"]: line["text"] for line in heard_by(tmp_path, "later")} == expected
    assert {line["held_up"] > 0 for line in records(tmp_path / "jobs.batchrun" / "checkpoint.jsonl")} == {True}
    again = batchrun(*words, "--sink", "nowhere:f", cwd=tmp_path)
    assert again.returncode == 0, again.stderr


def test_what_no_sink_took_is_delivered_by_the_next_run_and_asked_of_nobody(
    tmp_path: Path, calm: SimulatorProcess, heard: RequestPipe
) -> None:
    """Exit 75 after five in a row, with what the command said last; the answers are paid and stay."""
    jobs = write_jobs(tmp_path / "jobs.jsonl", prompts(6, SHORT))
    state, env = tmp_path / "jobs.batchrun", asking(calm)
    broken = ("--each", 'echo "no disk for $BATCHRUN_ID" >&2; exit 3')
    first = batchrun("run", "jobs.jsonl", *broken, cwd=tmp_path, env=env)
    assert first.returncode == 75, first.stderr
    assert "stopped early: sink: --each 'echo" in first.stderr
    assert "6 answers are kept that no sink took (" in first.stderr
    assert "the same command delivers them without asking again" in first.stderr
    for line in records(state / "results.jsonl"):
        assert (line["status"], line["final"], line["error"]["cause"]) == ("failed", False, "sink")
        assert line["error"]["message"].endswith(f"exit status 3: no disk for {line['id']}")
    assert "6 kept answers to be delivered, not asked again" in batchrun("report", "jobs.jsonl", cwd=tmp_path).stdout
    second = batchrun("run", "jobs.jsonl", "--out-dir", "out", cwd=tmp_path)  # without a key, and nobody to ask
    assert second.returncode == 0, second.stderr
    assert "; nobody is asked; 6 of them have an answer already, which is only delivered; answers go" in second.stderr
    assert len(heard.requests()) == 6
    expected = expected_texts(jobs)
    assert {path.stem: path.read_text() for path in (tmp_path / "out").iterdir()} == expected
    assert statuses(state) == dict.fromkeys(expected, "done")


@pytest.mark.slow
def test_answers_that_three_runs_did_not_deliver_are_told_and_how_to_deliver_them(
    tmp_path: Path, calm: SimulatorProcess, heard: RequestPipe
) -> None:
    """They are paid: the end of the run, a start that has nothing to do, status and report name them and the option."""
    write_jobs(tmp_path / "jobs.jsonl", prompts(2, SHORT))
    env, broken = asking(calm), ("--each", "exit 3")
    for again in (True, True, False):
        done = batchrun("run", "jobs.jsonl", *broken, cwd=tmp_path, env=env)
        assert ("the same command delivers them without asking again" in done.stderr) is again, done.stderr
    told = "2 whole answers are kept that no sink took in 3 runs: --retry sink delivers them, and nobody is asked"
    assert f"{told}; the last time: --each 'exit 3': exit status 3" in done.stderr
    idle = batchrun("run", "jobs.jsonl", *broken, cwd=tmp_path, env=env)
    assert (idle.returncode, told in idle.stderr) == (1, True)
    for command in ("status", "report"):
        page = " ".join(batchrun(command, "jobs.jsonl", cwd=tmp_path).stdout.split())
        assert f"To go on ({told}): " in page
        assert page.endswith("batchrun run jobs.jsonl --each 'exit 3' --retry sink")
    last = batchrun("run", "jobs.jsonl", "--out-dir", "out", "--retry", "sink", cwd=tmp_path, env=env)
    assert last.returncode == 0, last.stderr
    assert "2 finished items are pending again (--retry sink)" in last.stderr
    assert len(heard.requests()) == len(list((tmp_path / "out").iterdir())) == 2


def test_an_answer_on_its_way_into_a_sink_outlives_the_signal(
    tmp_path: Path, calm: SimulatorProcess, heard: RequestPipe
) -> None:
    """The drain ends and the sink hangs still: the answer is kept, and the next run has only to deliver it."""
    write_jobs(tmp_path / "jobs.jsonl", prompts(1, SHORT))
    publisher(tmp_path)
    env = asking(calm)
    words = ("--sink", "publish:hang", "--drain-timeout", "100ms")
    run = start_batchrun("run", "jobs.jsonl", *words, cwd=tmp_path, env=env)
    heard.wait_for(1, "end")
    run.send_signal(signal.SIGTERM)
    _, told = run.communicate(timeout=60)
    assert run.returncode == 75, told
    assert "1 answer is kept that no sink took (the run was stopped before the sinks had the answer)" in told
    again = batchrun("run", "jobs.jsonl", "--sink", "publish:save", cwd=tmp_path, env=env)
    assert again.returncode == 0, again.stderr
    assert [line["id"] for line in heard_by(tmp_path, "save")] == ["item-0000"]
    assert len(heard.requests()) == 1


def test_a_sink_that_cannot_be_is_told_before_anything_is_asked(tmp_path: Path) -> None:
    """Exit 78: a module that is not there, and one that fails; no run has begun."""
    write_jobs(tmp_path / "jobs.jsonl", prompts(1))
    (tmp_path / "bad.py").write_text("raise ValueError('no settings')")
    # Where nobody listens: whatever were sent would fail in another way.
    env = {"ANTHROPIC_API_KEY": "sk-any", "ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}
    for sink, told in (
        ("--sink=nowhere:save", f"no module nowhere; put nowhere.py into {tmp_path}"),
        ("--sink=bad:save", "ValueError: no settings (bad.py:1); bad fails as it is imported"),
    ):
        done = batchrun("run", "jobs.jsonl", sink, cwd=tmp_path, env=env)
        assert done.returncode == 78, done.stderr
        assert told in done.stderr
        assert "Traceback" not in done.stderr
        assert not (tmp_path / "jobs.batchrun" / "runs.jsonl").exists()
