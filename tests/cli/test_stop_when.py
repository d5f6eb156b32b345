"""Answers that are ended early: the installed program, asked by a flag and by a line."""

from __future__ import annotations

from pathlib import Path

from batchrun.simulator.process import SimulatorProcess
from tests.cli.program import asking, batchrun, prompts, records, write_jobs

LONG = "[[tokens=400]] number {}"  # five seconds, to its end


def test_answers_end_where_the_rule_holds(tmp_path: Path, calm: SimulatorProcess) -> None:
    """The run's rule, or the line's own; the text, the sinks and the usage go by it, and the report tells what it
    saved. Another rule is another request, and the same one asks nothing again."""
    plain, own = prompts(2, LONG)
    write_jobs(tmp_path / "jobs.jsonl", [plain, own | {"stop_when": {"max_chars": 30}}])
    words = ("--stop-when", '{"max_chars": 20}', "--out-dir", "out")
    done = batchrun("run", "jobs.jsonl", *words, cwd=tmp_path, env=asking(calm))
    assert done.returncode == 0, done.stderr
    results = {line["id"]: line for line in records(tmp_path / "jobs.batchrun" / "results.jsonl")}
    for id, length in (("item-0000", 20), ("item-0001", 30)):
        line = results[id]
        assert (len(line["text"]), line["status"], line["stop_reason"]) == (length, "done", "stop_rule:max_chars")
        assert line["content"] == [{"type": "text", "text": line["text"]}]
        assert (line["flags"], line["saved_tokens"]) == (["usage_estimated"], 2048 - line["usage"]["output_tokens"])
        assert line["wall"] < 4
        assert (tmp_path / "out" / f"{id}.txt").read_text() == line["text"]
    assert "2 items ended by a rule (max_chars 2)" in " ".join(
        batchrun("report", "jobs.jsonl", cwd=tmp_path).stdout.split()
    )
    nobody = {"ANTHROPIC_API_KEY": "sk-any", "ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}
    other = batchrun("run", "jobs.jsonl", "--stop-when", '{"max_chars": 21}', cwd=tmp_path, env=nobody)
    assert other.returncode == 0, other.stderr
    assert "1 finished item with another request in the job file now (item-0000)" in other.stderr


def test_a_rule_that_cannot_be_followed_is_a_fault_of_its_line(tmp_path: Path) -> None:
    """Exit 65 with the number of each such line, before anything is made or asked; on the command line exit 2."""
    rules = [{"max_chars": 5}, {"pattern": "x"}, {"min_tokens": 5}, {"regex": "("}, "short"]
    write_jobs(
        tmp_path / "jobs.jsonl", [job | {"stop_when": rule} for job, rule in zip(prompts(5), rules, strict=True)]
    )
    done = batchrun("run", "jobs.jsonl", "--simulate", cwd=tmp_path)
    assert done.returncode == 65, done.stderr
    for place in (
        "jobs.jsonl:2: stop_when has an unknown field 'pattern'",
        "jobs.jsonl:3: stop_when has no rule that could stop anything",
        "jobs.jsonl:4: stop_when: regex '(' is no pattern",
        "jobs.jsonl:5: stop_when is not an object",
    ):
        assert place in done.stderr
    assert "jobs.jsonl:1" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["jobs.jsonl"]
    flagged = batchrun("run", "jobs.jsonl", "--simulate", "--stop-when", '{"pattern": "x"}', cwd=tmp_path)
    assert flagged.returncode == 2
    assert "--stop-when: stop_when has an unknown field 'pattern'" in flagged.stderr
