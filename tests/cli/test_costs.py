"""What a run costs, as a user sees it: an OpenAI-compatible server, prices of one's own, the installed program."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from batchrun.simulator.process import SimulatorProcess
from tests.cli.program import batchrun, prompts, records, write_jobs

INPUT, OUTPUT = 1.0, 10.0  # US dollars per million tokens


def settings(
    server: SimulatorProcess, prices: str = f'[prices."llama3.2"]\ninput = {INPUT}\noutput = {OUTPUT}\n'
) -> str:
    """The server as the backend of every line, at these prices."""
    return (
        '[run]\nbackend = "local"\n'
        f'[backends.local]\nkind = "openai"\nbase_url = "{server.base_url}/v1"\nmodel = "llama3.2"\n{prices}'
    )


@pytest.fixture
def site(tmp_path: Path, instant: SimulatorProcess) -> Path:
    """A directory with a settings file."""
    (tmp_path / "batchrun.toml").write_text(settings(instant))
    return tmp_path


def cost_of(result: dict[str, Any]) -> float:
    """By hand, from the usage as it stands in the result."""
    usage = result["usage"]
    return float((usage["input_tokens"] * INPUT + usage["output_tokens"] * OUTPUT) / 1e6)


def told(command: str, site: Path, *words: str) -> dict[str, Any]:
    done = batchrun(command, "jobs.jsonl", "--json", *words, cwd=site)
    assert done.returncode == 0, done.stderr
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def test_every_figure_of_a_night_is_that_of_the_usage(site: Path) -> None:
    """Start line, records, status, report and their JSON: one sum, reckoned once by hand."""
    broken = {"id": "broken", "prompt": "[[fault=cut*1]] [[tokens=100]] x"}
    jobs = write_jobs(site / "jobs.jsonl", [*prompts(5, "[[tokens=20]] {}"), broken])
    done = batchrun("run", "jobs.jsonl", cwd=site)
    assert done.returncode == 0, done.stderr
    results = records(jobs.with_suffix(".batchrun") / "results.jsonl")
    costs = {line["id"]: line["cost_usd"] for line in records(jobs.with_suffix(".batchrun") / "checkpoint.jsonl")}
    assert costs == {result["id"]: pytest.approx(cost_of(result), abs=1e-8) for result in results}
    total = sum(cost_of(result) for result in results)
    span = re.search(r"; cost \$([\d.]+) to \$([\d.]+); asking", done.stderr)
    assert span is not None
    assert float(span[1]) < total < float(span[2])
    wasted = sum(result["wasted_tokens"] for result in results) * OUTPUT / 1e6
    assert wasted > 0
    cost = told("report", site)["cost"]
    assert (cost["usd"], cost["wasted_usd_estimate"]) == (pytest.approx(total), pytest.approx(wasted))
    assert (cost["items_priced"], cost["items_unpriced"], cost["unknown_models"]) == (6, 0, [])
    assert cost["month_usd"] == pytest.approx((total + wasted) * 365.25 / 12)
    status = told("status", site)
    assert (status["cost_usd"], status["spent"]["wasted_usd_estimate"]) == (cost["usd"], cost["wasted_usd_estimate"])
    page = batchrun("report", "jobs.jsonl", cwd=site).stdout
    assert re.search(r"answers  \$0\.00\d+ for 6 items, \$0\.000\d+ an item", page)
    assert "cost $0.00" in batchrun("show", "item-0000", "jobs.jsonl", cwd=site).stdout
    assert f"{costs['item-0000']}" in batchrun("export", "jobs.jsonl", "--format", "csv", cwd=site).stdout


def test_a_model_without_a_price_is_said_to_have_none(site: Path) -> None:
    """At the start, at the end, in the report: named, never as 0; others are priced beside it."""
    write_jobs(site / "jobs.jsonl", [{"id": "a", "prompt": "x", "model": "own-7b"}, {"id": "b", "prompt": "x"}])
    done = batchrun("run", "jobs.jsonl", "--json", cwd=site)
    spent = json.loads(done.stdout)["spent"]
    assert (spent["items_priced"], spent["items_unpriced"], spent["unknown_models"]) == (1, 1, ["own-7b"])
    lines = {line["id"]: line for line in records(site / "jobs.batchrun" / "checkpoint.jsonl")}
    assert (lines["a"]["cost_usd"], lines["b"]["cost_usd"] > 0) == (None, True)
    page = batchrun("report", "jobs.jsonl", cwd=site).stdout
    assert "1 item of unknown price" in page
    assert '[prices."own-7b"]' in " ".join(page.split())
    again = write_jobs(site / "again.jsonl", [{"id": "a", "prompt": "x", "model": "own-7b"}])
    started = batchrun("run", again.name, cwd=site)
    assert "; cost unknown: no price is known for own-7b; asking" in started.stderr
    assert "cost of this run: 1 item of unknown price" in started.stderr
    assert "$" not in started.stderr


def test_a_simulated_run_shows_no_price(site: Path) -> None:
    """Whatever prices are set: not at the start, not in a record, not in the morning. A limit in dollars waits."""
    write_jobs(site / "jobs.jsonl", prompts(2))
    words = ("--simulate", "--scenario", "instant", "--max-cost", "0.000001")
    done = batchrun("run", "jobs.jsonl", *words, cwd=site)
    assert done.returncode == 0, done.stderr
    assert "cost" not in done.stderr
    assert {line["cost_usd"] for line in records(site / "jobs.batchrun" / "checkpoint.jsonl")} == {None}
    cost = told("report", site)["cost"]
    assert (cost["usd"], cost["items_unpriced"], cost["simulated"]) == (None, 0, True)
    status = told("status", site)
    assert (status["cost_usd"], status["simulated"]) == (None, True)


def test_a_run_stops_at_its_limit_and_can_be_gone_on_with(site: Path) -> None:
    """Exit 75 with the reason; what is pending is asked by the next run, whose limit is its own."""
    write_jobs(site / "jobs.jsonl", prompts(60, "[[tokens=100]] {}"))
    words = ("run", "jobs.jsonl", "--max-slots", "2", "--max-cost", "0.01")
    first = batchrun(*words, cwd=site)
    assert first.returncode == 75, first.stderr
    assert re.search(r"stopped early: spent \$0\.01\d*, and --max-cost is \$0\.01", first.stderr)
    status = told("status", site)
    assert 0.01 <= status["cost_usd"] < 0.02
    assert 0 < status["done"] < 20
    assert "--max-cost 0.01" in status["resume"]["command"]
    second = batchrun("run", "jobs.jsonl", "--max-slots", "2", "--max-tokens-total", "1000", cwd=site)
    assert second.returncode == 75, second.stderr
    assert re.search(r"stopped early: used 1,\d+ tokens, and --max-tokens-total is 1,000", second.stderr)
    assert told("status", site)["done"] > status["done"]


def test_a_limit_that_nobody_could_keep_is_refused(site: Path) -> None:
    """Exit 78 before anything is sent: which model has no price, and what to write."""
    write_jobs(site / "jobs.jsonl", [{"id": "a", "prompt": "x", "model": "own-7b"}])
    done = batchrun("run", "jobs.jsonl", "--max-cost", "5", cwd=site)
    assert done.returncode == 78
    assert "no price is known for 'own-7b' on backend local" in done.stderr
    assert '[prices."own-7b"]' in done.stderr
    assert records(site / "jobs.batchrun" / "runs.jsonl") == []


@pytest.mark.parametrize("words", [("--max-cost", "5 USD")])
def test_a_limit_that_is_none_is_a_slip(site: Path, words: tuple[str, str]) -> None:
    """Exit 2, with the option."""
    write_jobs(site / "jobs.jsonl", prompts(1))
    done = batchrun("run", "jobs.jsonl", *words, cwd=site)
    assert done.returncode == 2
    assert f"{words[0]}: " in done.stderr
