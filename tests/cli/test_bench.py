"""`batchrun bench` and `batchrun calibrate` as their users meet them: tiny runs, told in a table or in one object."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from batchrun.bench.asking import INPUT_TOKENS, Asker, body_of
from batchrun.bench.endpoint import EMBEDDED
from batchrun.bench.gate import GatePlan, compare
from batchrun.bench.journal import JournalPlan, journal_comparison
from batchrun.bench.pool import CLIENTS, PoolPlan, pool_comparison
from batchrun.bench.side_by_side import beside
from batchrun.cli.bench_gate import print_gate, print_side_by_side
from batchrun.cli.bench_journal import print_journal
from batchrun.cli.bench_options import EndpointOptions, endpoint_by
from batchrun.cli.bench_pool import print_pool
from batchrun.simulator.process import SimulatorProcess
from tests.cli.program import CANARY, batchrun

TINY = {
    "client": ("--streams", "2", "--rate", "100", "--seconds", "0.1", "--no-tls"),
    "modes": ("--iterations", "2", "--concurrency", "2", "--tokens", "2", "--scenario", "instant"),
    "pool": ("--requests", "4", "--concurrency", "2", "--prewarm", "2", "--rounds", "1"),
    "stop": ("--items", "2", "--max-tokens", "20", "--concurrency", "2", "--stop-when", '{"max_chars": 20}'),
    "gate": ("--items", "2", "--fixed", "2", "--tokens", "2", "--worlds", "2"),
    "backends": ("--items", "4", "--slots", "2", "--slower", "2", "--tokens", "2", "--rounds", "1"),
    "journal": ("--streams", "2", "--items", "4", "--tokens", "2", "--rate", "100", "--seconds", "0.1"),
    "pipeline": ("--items", "20"),
    "scale": ("--items", "30", "--rounds", "1"),
    "buffer": ("--sessions", "2", "--tokens", "5", "--consumer-ms", "1", "--rate", "1000", "--size", "2"),
}
BROKEN: dict[str, Any] = {
    "streamed": True,
    "total": 1.0,
    "first_byte": None,
    "ttft": None,
    "tokens": 0,
    "connections": 1,
    "cause": "broken",
}
PAYABLE = ("modes", "pool", "stop")
CONSUMERS = """
def slow(item, delta):
    sum(range(20_000))

def whole(item):
    return None

def broken(item, delta):
    raise ValueError("no disk")
"""


def without_nulls(value: Any) -> bool:
    """Whether every figure was measured; what does not apply is null on purpose."""
    if isinstance(value, dict):
        return all(without_nulls(inner) for name, inner in value.items() if name not in NULL_ON_PURPOSE)
    return all(without_nulls(inner) for inner in value) if isinstance(value, list) else value is not None


# No first token, no warming up, no rule that held, an account that only one client has, and what so short a run as
# these cannot have: a period of the sampler, a slot that settled; without a journal nobody waits for one; a bound that
# nobody has set.
NULL_ON_PURPOSE = {
    "ttft",
    "prewarm_seconds",
    "at_rule",
    "unattributed",
    "cpu_mean",
    "others_mean",
    "settled_slots",
    "settled_range",
}
# A busy machine on which no fixed limit keeps to the target.
NULL_ON_PURPOSE.add("best")
NULL_ON_PURPOSE |= {"wait", "worst_wait", "wait_share", "most_mb", "most_seconds"}


# The others take seconds each, and differ from these in what they measure alone.
QUICK = {"modes", "stop", "buffer"}


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in TINY]
)
def test_each_bench_prints_one_object(name: str, tmp_path: Path) -> None:
    """With --json: the schema of its name, figures that were measured, and nothing else on stdout."""
    done = batchrun("bench", name, *TINY[name], "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["schema"] == f"batchrun.bench.{name}/1"
    assert without_nulls(told), told


@pytest.mark.slow
def test_many_streams_are_told_beside_one_alone(tmp_path: Path) -> None:
    """One core for all of them: the walls, over that of a stream that is alone, and how late the server itself was."""
    words = ("bench", "client", "--many", "20", "--rate", "100", "--seconds", "0.2")
    told = json.loads(batchrun(*words, "--json", cwd=tmp_path).stdout)
    assert told["schema"] == "batchrun.bench.client_many/1"
    assert without_nulls(told), told
    assert [told[which]["events"] for which in ("many", "alone")] == [400, 20]
    table = batchrun(*words, cwd=tmp_path).stdout
    assert "times that of one alone" in table
    assert "the server had sent everything" in table


@pytest.mark.slow
def test_the_table_of_modes_marks_what_does_not_apply(tmp_path: Path) -> None:
    """The first token of a whole document is n/a in each column; columns stand under their heads."""
    done = batchrun("bench", "modes", *TINY["modes"], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    head = next(line for line in lines if line.startswith("mode"))
    [document] = [line for line in lines if line.startswith("non-streaming")]
    assert document.split()[-5:] == ["n/a"] * 5
    assert document.rindex("n/a") + 3 == head.index("p99") + 3
    assert "CPU, streaming over non-streaming:" in done.stdout


def test_the_table_of_pool_has_a_row_for_each_way(capsys: pytest.CaptureFixture[str]) -> None:
    """What was not measured is a dash; why requests failed is told."""
    failed: dict[str, Any] = {"samples": [BROKEN], "first_wave": [BROKEN], "connections": 1, "prewarmed": 0}
    failed |= {"prewarm_seconds": 0.0, "cpu_seconds": 0.5, "spent_usd": 0.0, "is_budget_used_up": False}
    print_pool(pool_comparison(EMBEDDED, PoolPlan(), {client: [failed] for client in CLIENTS}), is_embedded=True)
    told = capsys.readouterr().out
    rows = [line for line in told.splitlines() if line.startswith(CLIENTS)][:3]
    assert [row.split()[-9:] for row in rows] == [["0", "1", "1", "-", "-", "-", "-", "-", "500.0"]] * 3
    assert told.count("failed: 1 broken") == 3


def test_the_table_of_gate_has_the_curves(capsys: pytest.CaptureFixture[str]) -> None:
    """Of CPU and slots, for each policy; a period in which nothing was sampled draws nothing."""
    sample = BROKEN | {"cause": None}
    ran: dict[str, Any] = {"samples": [sample], "not_begun": 2, "total_seconds": 1.0}
    periods = [{"t": float(time), "cpu": 50.0, "own": 40.0, "slots": 8.0 - time} for time in range(4)]
    print_gate(compare(GatePlan(), 12.0, lambda policy: ran | {"periods": periods if policy.law else []}))
    told = capsys.readouterr().out
    assert "before it began, other programs used 12 % of this machine" in told
    assert "none of them kept to it" in told
    assert "2 items were not begun" in told
    assert " 6 (5 to 6) " in told
    curves = [line for line in told.splitlines() if line.startswith("adaptive  ")]
    assert [curve.split()[1] for curve in curves] == ["1", "CPU", "slots"]
    assert curves[-1].endswith("0 to 8")


def test_the_table_of_two_runs_says_how_they_shared(capsys: pytest.CaptureFixture[str]) -> None:
    """A row for each, and their curves over the same time: before the second came it is drawn as nothing."""
    periods = [{"t": float(time), "cpu": 70.0, "own": 30.0, "slots": 8.0} for time in range(20)]
    ran: dict[str, Any] = {"samples": [BROKEN | {"cause": None}], "not_begun": 0, "total_seconds": 1.0}
    print_side_by_side(beside(GatePlan(), "steady", lambda _, delay: ran | {"periods": periods, "began": 2 * delay}))
    told = capsys.readouterr().out
    assert "two runs by the steady law" in told
    assert "busy for\n70 % (target 70 %), and the smaller share was\n1.00 of the larger" in told
    curves = [line for line in told.splitlines() if line.startswith(("first  ", "second  "))]
    drawn = [" ".join(curve.split()[:2]) for curve in curves[2:]]
    assert drawn == ["first CPU", "first slots", "second CPU", "second slots"]


def test_worlds_alone_leave_the_machine_alone(tmp_path: Path) -> None:
    """The table of simulated worlds, with the seed that replays them; no provider is started."""
    done = batchrun("bench", "gate", "--only-worlds", "--worlds", "3", "--seed", "7", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "3 simulated worlds from seed 7 on" in done.stdout
    assert "this machine" not in done.stdout


def test_the_tables_of_journal_say_what_does_not_apply(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a journal nobody waits for one; a disk that is too slow for the rate is said to be."""
    loop: dict[str, Any] = {"lags": [0.001, 0.002], "total_seconds": 2.0, "loop_cpu": 0.5, "other_cpu": 0.1}
    answered = loop | {"samples": [BROKEN | {"cause": None}, BROKEN]}
    streams = {"no journal": answered | {"waits": []}, "slow disk": answered | {"waits": [0.025]}}
    rate = loop | {"waits": [0.01, 0.02], "commits": 1, "held_back": 0, "behind": 0.004, "sync_seconds": 0.0002}
    rates = {"this disk": rate, "slow disk": rate | {"held_back": 3}}
    print_journal(journal_comparison(JournalPlan(), streams, rates))
    lines = capsys.readouterr().out.splitlines()
    rows = [line.split() for line in lines if line.startswith(("no journal ", "slow disk ", "this disk "))]
    assert rows[0][4:] == ["1.00", "n/a", "n/a", "n/a", "n/a", "2.0", "2.0", "0.250", "0.050"]
    assert rows[1][4:9] == ["1.00", "25.0", "25.0", "25.0", "2.50"]
    assert [row[9] for row in rows[2:]] == ["yes", "no"]
    assert "no journal: failed: 1 broken" in lines


def test_a_journal_is_measured_nowhere_else(tmp_path: Path) -> None:
    """Where nothing can be written: exit 78, and no traceback."""
    done = batchrun("bench", "journal", "--dir", "nowhere", cwd=tmp_path)
    assert done.returncode == 78
    assert "name a directory of yours" in done.stderr


@pytest.mark.parametrize("name", PAYABLE)
@pytest.mark.parametrize(
    ("words", "missing"),
    [
        (("--base-url", "https://127.0.0.1:9"), "--budget USD"),
        (("--base-url", "https://127.0.0.1:9", "--budget", "1", "--model", "own-7b"), "--usd-per-mtok"),
        (("--budget", "1"), "--base-url"),
        (("--backend", "local"), "--budget USD"),
    ],
)
def test_nothing_is_asked_that_may_cost_without_a_budget_and_a_price(
    name: str, words: tuple[str, ...], missing: str, tmp_path: Path
) -> None:
    """Exit 2 before anything is sent, naming what is missing."""
    done = batchrun("bench", name, *words, cwd=tmp_path)
    assert done.returncode == 2
    assert missing in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_backend_is_asked_as_a_run_here_would_ask_it(tmp_path: Path, instant: SimulatorProcess) -> None:
    """Its address, dialect, model and key come from batchrun.toml; what else might say so contradicts it."""
    table = f'[backends.local]\nkind = "openai"\nbase_url = "{instant.base_url}/v1"\nmodel = "m"\nkey_env = "K"\n'
    (tmp_path / "batchrun.toml").write_text(table, encoding="utf-8")
    words = ("bench", "modes", *TINY["modes"], "--backend", "local", "--budget", "0", "--usd-per-mtok", "0")
    done = batchrun(*words, "--json", cwd=tmp_path, env={"K": CANARY})
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["endpoint"] == f"{instant.base_url}/v1"
    assert [mode["succeeded"] for mode in told["modes"]] == [2, 2, 2]
    refused = json.loads(batchrun(*words, "--json", cwd=tmp_path, env={"K": "sk-invalid"}).stdout)
    assert [mode["causes"] for mode in refused["modes"]] == [{"credentials": 2}] * 3
    for wrong, why in ((("--key-env", "K"), "--key-env and --backend"), (("--backend", "remote"), "'remote'")):
        done = batchrun(*words, *wrong, cwd=tmp_path)
        assert done.returncode == 2
        assert why in done.stderr


async def test_openai_itself_is_told_the_bound_by_its_new_name() -> None:
    """As in a run; other servers by the one that all of them know."""
    for url, name in (("https://api.openai.com/v1", "max_completion_tokens"), ("http://127.0.0.1:1/v1", "max_tokens")):
        endpoint = endpoint_by(EndpointOptions(base_url=url, kind="openai", model="m", budget=1.0, usd_per_mtok=1.0))
        body = body_of(endpoint, 1, None, 50)
        assert body[name] == 50
        assert Asker(endpoint, 1).dearest(body) == pytest.approx((50 + INPUT_TOKENS) / 1_000_000)


@pytest.mark.slow
def test_a_bench_that_measured_nothing_says_so(tmp_path: Path) -> None:
    """Exit 1; the failures are counted, and no ratio is made of them."""
    nobody = ("--base-url", "http://127.0.0.1:1", "--kind", "openai", "--model", "m", "--budget", "0")
    done = batchrun("bench", "modes", *TINY["modes"], *nobody, "--usd-per-mtok", "0", "--json", cwd=tmp_path)
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert [(mode["failed"], mode["causes"]) for mode in told["modes"]] == [(2, {"connect": 2})] * 3
    assert (told["cpu_ratio"], told["streaming_later"], told["paired_requests"]) == (None, None, 0)


def test_a_rule_that_cannot_be_followed_is_told_before_anything_is_asked(tmp_path: Path) -> None:
    """Neither broken JSON nor an unknown rule reaches a worker."""
    for rule in ("{", '{"min_words": 3}'):
        done = batchrun("bench", "stop", "--stop-when", rule, cwd=tmp_path)
        assert done.returncode == 2
        assert "--stop-when" in done.stderr


def test_a_consumer_is_measured_where_it_lies(tmp_path: Path) -> None:
    """The pipe that suits it is the target over its mean, in the table and in the object."""
    (tmp_path / "publish.py").write_text(CONSUMERS, encoding="utf-8")
    done = batchrun("calibrate", "--sink", "publish:slow", "--tokens", "5", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["schema"], told["unit"], told["count"]) == ("batchrun.calibrate/1", "token", 5)
    assert told["pipe_size"] == -(-500 // told["mean_ms"])
    table = batchrun("calibrate", "--sink", "publish:slow", "--tokens", "5", cwd=tmp_path).stdout
    assert "--buffer " in table


def test_a_consumer_of_whole_answers_has_no_pipe(tmp_path: Path) -> None:
    """Nothing is recommended that it could not use."""
    (tmp_path / "publish.py").write_text(CONSUMERS, encoding="utf-8")
    done = batchrun("calibrate", "--sink", "publish:whole", "--tokens", "3", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "no pipe to size" in done.stdout


def test_a_consumer_that_fails_is_the_users_to_mend(tmp_path: Path) -> None:
    """Its own error, with the line, and no traceback."""
    (tmp_path / "publish.py").write_text(CONSUMERS, encoding="utf-8")
    done = batchrun("calibrate", "--sink", "publish:broken", cwd=tmp_path)
    assert done.returncode == 1
    assert "no disk" in done.stderr
    assert "Traceback" not in done.stderr
    assert batchrun("calibrate", "--sink", "publish:nowhere", cwd=tmp_path).returncode == 78
