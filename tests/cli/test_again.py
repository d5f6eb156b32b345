"""What is asked again on purpose, by the installed program: a changed line, a kind of ending, everything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.program import batchrun, prompts, records, statuses, write_jobs

SIMULATED = ("--simulate", "--scenario", "instant")


def test_a_changed_line_is_kept_refused_or_asked(tmp_path: Path) -> None:
    """Kept by default and told with the flag; `fail` sends nothing and exits 65; `ask` asks that one line alone."""
    path, log = tmp_path / "jobs.jsonl", tmp_path / "jobs.batchrun" / "checkpoint.jsonl"
    write_jobs(path, [{"id": f"i{n}", "prompt": f"Tell {n}."} for n in range(4)])
    assert batchrun("run", path.name, *SIMULATED, cwd=tmp_path).returncode == 0
    path.write_text(path.read_text().replace("Tell 2.", "Sing 2."))

    kept = batchrun("run", path.name, *SIMULATED, cwd=tmp_path)
    assert kept.returncode == 0
    assert "1 finished item with another request in the job file now (i2)" in kept.stderr
    assert "--changed ask" in kept.stderr

    refused = batchrun("run", path.name, *SIMULATED, "--changed", "fail", cwd=tmp_path)
    assert refused.returncode == 65
    assert "(i2); nothing was sent" in refused.stderr
    assert len(records(log)) == 4

    asked = batchrun("run", path.name, *SIMULATED, "--changed", "ask", cwd=tmp_path)
    assert asked.returncode == 0
    assert "1 finished item is pending again (--changed ask)" in asked.stderr
    assert "1 of 4 items pending" in asked.stderr
    assert [record["id"] for record in records(log)][4:] == ["i2"]

    nightly = batchrun("run", path.name, *SIMULATED, "--retry", "all", "--quiet", cwd=tmp_path)
    assert (nightly.returncode, nightly.stderr) == (0, ""), "from cron a success says nothing"


@pytest.mark.slow
def test_what_ended_otherwise_is_asked_again_only_on_purpose(tmp_path: Path) -> None:
    """A refusal and a 400 stay as they are until `--retry` names them; the records before stay in the log."""
    path, log = tmp_path / "jobs.jsonl", tmp_path / "jobs.batchrun" / "checkpoint.jsonl"
    bad, no = "Bad. [[error=400]]", "No. [[refuse]]"
    write_jobs(path, [{"id": "bad", "prompt": bad}, {"id": "no", "prompt": no}, {"id": "ok", "prompt": "Yes."}])
    assert batchrun("run", path.name, *SIMULATED, cwd=tmp_path).returncode == 1
    before = statuses(tmp_path / "jobs.batchrun")
    assert before == {"bad": "failed", "no": "refused", "ok": "done"}

    for retry, ids in (("refused", {"no"}), ("bad_request", {"bad"}), ("failed,refused", {"bad", "no"}), ("all", None)):
        count = len(records(log))
        assert batchrun("run", path.name, *SIMULATED, "--retry", retry, cwd=tmp_path).returncode == 1
        assert {record["id"] for record in records(log)[count:]} == (ids or set(before))
        assert statuses(tmp_path / "jobs.batchrun") == before


@pytest.mark.slow
def test_a_retry_that_was_killed_at_its_very_end_is_through_when_a_start_has_seen_it(tmp_path: Path) -> None:
    """Until then the report asks for it; a start writes it down, and who asks for the same after it means all."""
    path, state = tmp_path / "jobs.jsonl", tmp_path / "jobs.batchrun"
    write_jobs(path, [{"id": "no", "prompt": "No. [[refuse]]"}, {"id": "ok", "prompt": "Yes."}])
    words = ("run", path.name, *SIMULATED, "--retry", "refused")
    for again in (words[:-2], words):
        assert batchrun(*again, cwd=tmp_path).returncode == 1
    runs = state / "runs.jsonl"
    runs.write_bytes(b"".join(runs.read_bytes().splitlines(keepends=True)[:-1]))

    def left() -> str | None:
        told = batchrun("report", path.name, "--json", cwd=tmp_path).stdout
        command: str | None = json.loads(told)["resume"]["command"]
        return command

    asked = left()
    assert asked is not None
    assert asked.endswith("--retry refused")
    for other in (words[:-2], (*words, "--only", "no")):
        assert batchrun(*other, cwd=tmp_path).returncode == 1
        assert left() == asked, "a start with another wish, or that looks at some items alone, is not its end"
    assert batchrun(*words, cwd=tmp_path).returncode == 1
    assert (left(), len(records(state / "checkpoint.jsonl"))) == (None, 3)
    assert batchrun(*words, cwd=tmp_path).returncode == 1
    assert len(records(state / "checkpoint.jsonl")) == 4


@pytest.mark.slow
def test_a_selection_is_judged_by_what_was_asked_for(tmp_path: Path) -> None:
    """Exit 0 where each of those is answered, whatever became of others; exit 1 where one of them has failed, now or in
    an earlier run. With nothing left to limit it tells how the batch stands."""
    bad = {"id": "bad", "prompt": "Bad. [[error=400]]"}
    write_jobs(tmp_path / "jobs.jsonl", [bad, *({"id": id, "prompt": "Yes."} for id in ("ok", "more"))])

    def run(*words: str) -> int:
        return batchrun("run", "jobs.jsonl", *SIMULATED, *words, cwd=tmp_path).returncode

    asked = [
        ("--limit", "1"),
        ("--only", "ok"),
        ("--only", "bad"),
        ("--only", "ok"),
        ("--limit", "1"),
        ("--limit", "1"),
    ]
    assert [run(*words) for words in asked] == [1, 0, 1, 0, 0, 1]


@pytest.mark.slow
def test_a_limited_run_that_came_home_in_its_drain_is_over(tmp_path: Path) -> None:
    """What --limit leaves is nothing that was stopped: exit 0, and no reason is told."""
    write_jobs(tmp_path / "jobs.jsonl", prompts(3, "[[tokens=5]] {}"))
    (tmp_path / "slow.toml").write_text("ttft = 0.5\ntokens_per_second = 0\n")
    words = ("--simulate", "--scenario", "slow.toml", "--min-slots", "2", "--limit", "2", "--max-tokens-total", "1")
    done = batchrun("run", "jobs.jsonl", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "stopped early" not in done.stderr
    assert "2 of 3 items answered; 1 pending" in done.stderr
