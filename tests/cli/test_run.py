"""`batchrun run` as its users meet it: the installed program, an empty directory, the embedded provider."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from batchrun.simulator.process import SimulatorProcess
from tests.cli.program import (
    CANARY,
    asking,
    assert_each_answered_once,
    batchrun,
    prompts,
    records,
    statuses,
    write_jobs,
)


def test_a_job_file_is_answered_and_a_second_run_sends_nothing(tmp_path: Path) -> None:
    """Each item has one record and the right text; afterwards nothing is pending and nobody is asked."""
    jobs = write_jobs(tmp_path / "jobs.jsonl", prompts(20))
    first = batchrun("run", "jobs.jsonl", "--simulate", "--scenario", "instant", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert "20 of 20 items answered; nothing pending" in first.stderr
    assert_each_answered_once(jobs)
    before = (tmp_path / "jobs.batchrun" / "results.jsonl").read_bytes()
    # A key that no server would take and a port where none listens: it would fail if anything were sent.
    again = batchrun("run", "jobs.jsonl", "--base-url", "http://127.0.0.1:9", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "jobs.batchrun" / "results.jsonl").read_bytes() == before


def test_a_path_with_spaces_and_ids_of_any_letters_work(tmp_path: Path) -> None:
    """Names of people's files and ids are taken as they are."""
    home = tmp_path / "my sites"
    home.mkdir()
    jobs = write_jobs(home / "die jobs.jsonl", [{"id": "küche/käse 🧀\u2028", "prompt": "Grüße?"}])
    done = batchrun("run", "die jobs.jsonl", "--simulate", "--scenario", "instant", cwd=home)
    assert done.returncode == 0, done.stderr
    assert_each_answered_once(jobs)


def test_every_fault_of_a_bad_job_file_is_told_and_nothing_is_made(tmp_path: Path) -> None:
    """Exit 65 with file, line, what and what to do for each; no state, no request."""
    lines = ['{"id": "a", "prompt": "x"}', "not json", '{"prompt": "x"}', '{"id": "a", "prompt": "y"}', '{"id": "b"}']
    (tmp_path / "bad.jsonl").write_text("\n".join(lines))
    done = batchrun("run", "bad.jsonl", "--simulate", cwd=tmp_path)
    assert done.returncode == 65
    for place in (
        "bad.jsonl:2: not JSON",
        "bad.jsonl:3: no id",
        "bad.jsonl:4: duplicate id 'a'",
        "bad.jsonl:5: neither",
    ):
        assert place in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["bad.jsonl"]


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_a_file_without_a_job_is_no_success(tmp_path: Path, content: str) -> None:
    """A generator that failed leaves just this; cron should hear of it."""
    (tmp_path / "jobs.jsonl").write_text(content)
    done = batchrun("run", "jobs.jsonl", "--simulate", "--quiet", cwd=tmp_path)
    assert done.returncode == 65
    assert "no job in the whole file" in done.stderr


def test_a_directory_is_no_job_file(tmp_path: Path) -> None:
    """Exit 66, and no traceback."""
    done = batchrun("run", ".", "--simulate", cwd=tmp_path)
    assert done.returncode == 66
    assert "is a directory" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_streaming_a_slow_answer_is_waited_for(tmp_path: Path, calm: SimulatorProcess) -> None:
    """Nothing can be heard of an answer that comes in one piece before it is whole."""
    jobs = write_jobs(tmp_path / "jobs.jsonl", [{"id": "a", "prompt": "[[tokens=60]] slow"}])
    words = ("--no-stream", "--first-byte-timeout", "200ms", "--idle-timeout", "200ms")
    done = batchrun("run", "jobs.jsonl", *words, cwd=tmp_path, env=asking(calm))
    assert done.returncode == 0, done.stderr
    [line] = records(jobs.with_suffix(".batchrun") / "checkpoint.jsonl")
    assert (line["attempts"], line["ttft"]) == (1, None)


def test_a_missing_job_file_is_exit_66(tmp_path: Path) -> None:
    """The message names the file."""
    done = batchrun("run", "nowhere.jsonl", cwd=tmp_path)
    assert done.returncode == 66
    assert "nowhere.jsonl" in done.stderr


def test_without_credentials_the_way_out_is_told(tmp_path: Path) -> None:
    """Exit 77: what to set, the key file for cron, and the hint at --simulate, which can be followed."""
    write_jobs(tmp_path / "jobs.jsonl", prompts(1))
    done = batchrun("run", "jobs.jsonl", cwd=tmp_path)
    assert done.returncode == 77
    assert batchrun("run", "jobs.jsonl", "--simulate", "--scenario", "instant", cwd=tmp_path).returncode == 0
    for word in ("ANTHROPIC_API_KEY", "--key-file", "--simulate"):
        assert word in done.stderr


def test_a_refused_key_stops_the_run_and_fails_no_item(tmp_path: Path, instant: SimulatorProcess) -> None:
    """Exit 77; every item stays pending."""
    write_jobs(tmp_path / "jobs.jsonl", prompts(10))
    env = asking(instant) | {"ANTHROPIC_API_KEY": "sk-invalid"}
    done = batchrun("run", "jobs.jsonl", cwd=tmp_path, env=env)
    assert done.returncode == 77, done.stderr
    assert statuses(tmp_path / "jobs.batchrun") == {}


def test_items_of_an_unknown_model_stay_pending_and_the_others_are_answered(
    tmp_path: Path, instant: SimulatorProcess
) -> None:
    """Exit 78, naming the model."""
    jobs = [{**job, "model": "claude-unknown-9"} if number % 2 else job for number, job in enumerate(prompts(8))]
    write_jobs(tmp_path / "jobs.jsonl", jobs)
    done = batchrun("run", "jobs.jsonl", cwd=tmp_path, env=asking(instant))
    assert done.returncode == 78, done.stderr
    assert "claude-unknown-9" in done.stderr
    assert set(statuses(tmp_path / "jobs.batchrun")) == {f"item-{number:04d}" for number in range(0, 8, 2)}


def test_an_item_with_a_400_fails_alone(tmp_path: Path, instant: SimulatorProcess) -> None:
    """Exit 1; the others are answered; the failure is final and is not asked again."""
    write_jobs(tmp_path / "jobs.jsonl", [*prompts(9), {"id": "bad", "prompt": "[[error=400]] x"}])
    done = batchrun("run", "jobs.jsonl", cwd=tmp_path, env=asking(instant))
    assert done.returncode == 1, done.stderr
    found = statuses(tmp_path / "jobs.batchrun")
    assert found.pop("bad") == "failed"
    assert set(found.values()) == {"done"}
    again = batchrun("run", "jobs.jsonl", cwd=tmp_path, env=asking(instant))
    assert again.returncode == 1
    assert len(records(tmp_path / "jobs.batchrun" / "checkpoint.jsonl")) == 10
    assert batchrun("run", "jobs.jsonl", "--accept", "failed", cwd=tmp_path, env=asking(instant)).returncode == 0


def test_a_passing_fault_is_retried_and_counted(tmp_path: Path, instant: SimulatorProcess) -> None:
    """Two bad answers and a good one: done, in three attempts, with the causes in the record."""
    write_jobs(tmp_path / "jobs.jsonl", [{"id": "a", "prompt": "[[error=529*2]] x"}])
    done = batchrun("run", "jobs.jsonl", cwd=tmp_path, env=asking(instant))
    assert done.returncode == 0, done.stderr
    [line] = records(tmp_path / "jobs.batchrun" / "checkpoint.jsonl")
    assert (line["attempts"], line["retried"]) == (3, {"overloaded": 2})


def test_a_silent_stream_is_ended_and_asked_again(tmp_path: Path, instant: SimulatorProcess) -> None:
    """No exception is ever raised by a dead stream; the clock beside the read ends it."""
    write_jobs(tmp_path / "jobs.jsonl", [{"id": "a", "prompt": "[[fault=silence*1]] x"}])
    done = batchrun("run", "jobs.jsonl", "--idle-timeout", "200ms", cwd=tmp_path, env=asking(instant))
    assert done.returncode == 0, done.stderr
    [line] = records(tmp_path / "jobs.batchrun" / "checkpoint.jsonl")
    assert line["retried"] == {"silent": 1}
    assert line["wasted_tokens"] > 0


def test_an_item_that_only_fails_in_passing_is_asked_again_by_the_next_run(
    tmp_path: Path, instant: SimulatorProcess
) -> None:
    """Attempts used up on the wire are no final failure."""
    jobs = write_jobs(tmp_path / "jobs.jsonl", [{"id": "a", "prompt": "[[error=500*2]] x"}])
    first = batchrun("run", "jobs.jsonl", "--max-attempts", "2", cwd=tmp_path, env=asking(instant))
    assert first.returncode == 1
    [line] = records(jobs.with_suffix(".batchrun") / "checkpoint.jsonl")
    assert (line["status"], line["final"]) == ("failed", False)
    second = batchrun("run", "jobs.jsonl", "--max-attempts", "2", cwd=tmp_path, env=asking(instant))
    assert second.returncode == 0, second.stderr


def test_limit_and_only_choose_among_the_pending(tmp_path: Path, instant: SimulatorProcess) -> None:
    """The first paid night begins with three items."""
    write_jobs(tmp_path / "jobs.jsonl", prompts(10))
    env, state = asking(instant), tmp_path / "jobs.batchrun"
    assert batchrun("run", "jobs.jsonl", "--limit", "3", cwd=tmp_path, env=env).returncode == 0
    assert len(statuses(state)) == 3
    assert batchrun("run", "jobs.jsonl", "--only", "item-0007", cwd=tmp_path, env=env).returncode == 0
    assert sorted(statuses(state)) == ["item-0000", "item-0001", "item-0002", "item-0007"]
    assert batchrun("run", "jobs.jsonl", "--only", "item-7", cwd=tmp_path, env=env).returncode == 2


def test_quiet_says_nothing_when_all_goes_well(tmp_path: Path, instant: SimulatorProcess) -> None:
    """For cron: mail comes only when there is something to say."""
    write_jobs(tmp_path / "jobs.jsonl", prompts(2))
    done = batchrun("run", "jobs.jsonl", "--quiet", cwd=tmp_path, env=asking(instant))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_json_is_one_object_and_nothing_else(tmp_path: Path, instant: SimulatorProcess) -> None:
    """stdout is for programs."""
    write_jobs(tmp_path / "jobs.jsonl", prompts(2))
    done = batchrun("run", "jobs.jsonl", "--json", cwd=tmp_path, env=asking(instant))
    told = json.loads(done.stdout)
    assert (told["schema"], told["finished"]["done"], told["pending"]) == ("batchrun.run/1", 2, 0)


def test_the_key_is_written_nowhere(tmp_path: Path, instant: SimulatorProcess) -> None:
    """Not in the state, not in the log, not on the screen; not even where the provider refuses."""
    write_jobs(tmp_path / "jobs.jsonl", [*prompts(2), {"id": "bad", "prompt": "[[error=403]]"}])
    (tmp_path / "key").write_text(f"{CANARY}\n")
    (tmp_path / "key").chmod(0o600)
    env = {"ANTHROPIC_BASE_URL": instant.base_url}
    done = batchrun(
        "run", "jobs.jsonl", "--key-file", "key", "--log", "log.txt", "--max-attempts", "2", cwd=tmp_path, env=env
    )
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "key"]
    assert {"log.txt", "checkpoint.jsonl", "runs.jsonl"} <= {path.name for path in files}
    told = done.stdout + done.stderr + "".join(path.read_text() for path in files)
    assert CANARY not in told


def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """Exit 77 with the command that mends it."""
    write_jobs(tmp_path / "jobs.jsonl", prompts(1))
    (tmp_path / "key").write_text(CANARY)
    (tmp_path / "key").chmod(0o644)
    done = batchrun("run", "jobs.jsonl", "--key-file", "key", cwd=tmp_path)
    assert done.returncode == 77
    assert "chmod 600" in done.stderr


def test_simulated_answers_are_never_mixed_with_real_ones(tmp_path: Path, instant: SimulatorProcess) -> None:
    """Exit 78 and what to remove; the answers stay as they are."""
    jobs = write_jobs(tmp_path / "jobs.jsonl", prompts(2))
    assert batchrun("run", "jobs.jsonl", "--simulate", "--limit", "1", cwd=tmp_path).returncode == 0
    done = batchrun("run", "jobs.jsonl", cwd=tmp_path, env=asking(instant))
    assert done.returncode == 78
    assert "rm -r" in done.stderr
    assert len(statuses(jobs.with_suffix(".batchrun"))) == 1


def test_three_hundred_items_on_a_bad_night_are_all_answered(tmp_path: Path) -> None:
    """10 % 429, 5 % 529, 5 % drops, 3 % silences: 300 right answers."""
    jobs = write_jobs(tmp_path / "jobs.jsonl", prompts(300))
    rates = "rate_429 = 0.10\nrate_529 = 0.05\nrate_drop = 0.05\nrate_silence = 0.03\n"
    (tmp_path / "bad.toml").write_text(rates + "seed = 7\nttft = 0.0\ntokens_per_second = 0\nretry_after = 0.2\n")
    words = (
        "--simulate",
        "--scenario",
        "bad.toml",
        "--idle-timeout",
        "500ms",
        "--min-slots",
        "32",
        "--period",
        "500ms",
    )
    done = batchrun("run", "jobs.jsonl", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert_each_answered_once(jobs)
    causes = {
        cause
        for line in records(jobs.with_suffix(".batchrun") / "checkpoint.jsonl")
        for cause in line.get("retried", {})
    }
    assert {"rate_limited", "overloaded", "silent"} <= causes


def test_no_command_that_does_not_send_imports_the_sdk(tmp_path: Path) -> None:
    """A second and 80 MB that `status` must not cost; the same for a run with nothing to do."""
    write_jobs(tmp_path / "jobs.jsonl", prompts(1))
    assert batchrun("run", "jobs.jsonl", "--simulate", "--scenario", "instant", cwd=tmp_path).returncode == 0
    for words in (["run", "jobs.jsonl"], ["status", "jobs.jsonl"], ["report", "jobs.jsonl"], ["show", "item-0000"]):
        done = batchrun(*words, cwd=tmp_path, env={"PYTHONPROFILEIMPORTTIME": "1"})
        assert done.returncode == 0, done.stderr
        assert "anthropic" not in {
            line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()
        }


def test_an_item_that_begins_its_answer_is_told_of_and_fails_alone(tmp_path: Path) -> None:
    """F35: one notice before anything is sent; it is no fault of the file, and the others are answered."""
    asked = [{"role": "user", "content": "Name a colour."}, {"role": "assistant", "content": "It is"}]
    write_jobs(tmp_path / "jobs.jsonl", [*prompts(2), {"id": "begun", "messages": asked}])
    done = batchrun("run", "jobs.jsonl", "--simulate", "--scenario", "instant", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("1 item ends with the assistant's words (line 3)") == 1
    assert statuses(tmp_path / "jobs.batchrun") == {"item-0000": "done", "item-0001": "done", "begun": "failed"}
