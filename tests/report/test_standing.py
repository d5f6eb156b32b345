"""Where a run stands: what only a live run has is told of a live run, and the log wins over the look-out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from typing import Any

import pytest

from batchrun.journal.lock import Holder
from batchrun.journal.runs import Run, RunEnd, RunStart
from batchrun.outcome import GivenUp
from batchrun.report.census import Totals
from batchrun.report.facts import status_facts
from batchrun.report.job_file import JobFileNow
from batchrun.report.snapshot import Snapshot, snapshot_of
from batchrun.report.standing import Sighting, Standing, standing
from batchrun.report.standing_text import quiet_remark, status_page
from batchrun.spent import Spent
from tests.report.lines import said
from tests.report.nights import gate, snapshot_fields, stamp

START = RunStart("run-1", stamp(0), 4242, "host", "0.1.0", "/jobs.jsonl", "ab", ["run"], 300, 300, "m", False)
HOLDER = Holder(4242, 1.0, "host", "boot", stamp(0))
NOW = stamp(720)


def snapshot(**changes: Any) -> Snapshot:
    found = snapshot_of(snapshot_fields("run-1", 719) | changes)
    assert found is not None
    return found


AT_WORK = Sighting("jobs.jsonl", "batchrun run jobs.jsonl", [Run(START, None)], HOLDER, "run-1", snapshot(), None, NOW)
KILLED = replace(AT_WORK, holder=None, alive=None)


def ended(exit_code: int, reason: str, **changes: Any) -> Sighting:
    return replace(KILLED, runs=[Run(START, RunEnd("run-1", stamp(700), exit_code, reason))], **changes)


def page(found: Standing) -> str:
    return said(status_page(found, UTC))


def test_a_run_at_work_says_how_far_it_is_and_what_limits_it() -> None:
    """Everything that an operator asks at three in the morning, and no command: there is nothing to do."""
    assert page(standing(AT_WORK)).splitlines() == [
        "jobs.jsonl: running for 12 min, since 22:00:00 (pid 4242 on host)",
        "",
        "finished | 120 of 300 (40 %)",
        " | 118 done, 1 incomplete, 0 refused, 1 failed",
        "pending | 180; of these 11 in flight, 3 waiting to be asked again",
        "claude | 11 of 12 slots taken; limited by the CPU target: CPU 64 % is near the target",
        "pace | 1,143 tokens/s, host CPU 64 %, 41 failed attempts",
        "time left | about 25 min, until 22:36:50",
        "last error | 22:11:56 page-0107: overloaded: 529: Overloaded",
    ]


def test_what_waits_for_the_sinks_is_told_of_what_is_in_flight() -> None:
    """No tokens come, and yet the run is not stuck."""
    text = page(standing(replace(AT_WORK, snapshot=snapshot(with_sinks=7))))
    assert "pending | 180; of these 11 in flight (7 waiting for the sinks), 3 waiting to be asked again" in text


def test_a_run_that_drains_says_why() -> None:
    """Somebody pressed Ctrl-C, or cron's next start did."""
    found = standing(replace(AT_WORK, snapshot=snapshot(reason="SIGTERM received")))
    assert "stopping | SIGTERM received; waiting for what is in flight" in page(found)


def test_a_start_that_found_nothing_pending_is_not_the_last_run() -> None:
    """How many items there are it knows best; how the night went, the run before it."""
    look = replace(START, run="run-2", started=stamp(710), total=290, pending=0)
    runs = [*ended(75, "SIGTERM received").runs, Run(look, RunEnd("run-2", stamp(711), 0, "nothing pending"))]
    found = standing(replace(KILLED, runs=runs))
    assert found.last is not None
    assert (found.last.run, found.total) == ("run-1", 290)


def test_a_run_that_has_only_just_started_shows_no_older_figures() -> None:
    """The snapshot is still that of the run before."""
    fresh = replace(START, run="run-2", pending=180)
    found = standing(replace(AT_WORK, runs=[Run(fresh, None)], alive="run-2"))
    assert found.is_running
    assert found.live is not None
    assert (found.live.in_flight, found.live.gates, found.live.tok_s) == (0, {}, None)
    assert "slots" not in page(found)


def test_a_killed_run_says_so_and_how_to_go_on() -> None:
    """The log was counted, for the snapshot was up to a period behind."""
    found = standing(replace(KILLED, counted=Totals(done=121, failed=1)))
    text = page(found)
    assert "not running since 22:11:59: killed" in text
    assert "finished | 122 of 300 (41 %)" in text
    assert "in flight" not in text
    assert text.endswith("To go on (178 pending):\nbatchrun run jobs.jsonl")


@pytest.mark.parametrize(
    ("exit_code", "reason", "said_of_it", "step"),
    [
        (0, "finished", "ended (exit 0)", "Nothing is left to ask."),
        (75, "SIGTERM received", "stopped early, in order: SIGTERM received (exit 75)", "Nothing is left to ask."),
    ],
)
def test_a_run_that_ended_says_how_and_when(exit_code: int, reason: str, said_of_it: str, step: str) -> None:
    """And that there is nothing to do, where there is nothing."""
    text = page(standing(ended(exit_code, reason, counted=Totals(done=300))))
    assert text.startswith(f"jobs.jsonl: not running since 22:11:40: {said_of_it}")
    assert text.endswith(step)


def test_what_has_to_be_mended_first_is_said() -> None:
    """Going on without credentials helps nobody."""
    text = page(standing(ended(77, "401: invalid x-api-key", counted=Totals(done=1))))
    assert "To go on (299 pending; set working credentials first):" in text


def test_failures_of_an_unknown_kind_leave_the_command() -> None:
    """A snapshot does not say which failures are final, and a log too long to be counted now is not asked."""
    found = standing(ended(1, "finished", snapshot=snapshot(done=298, incomplete=0, failed=2, pending=0)))
    assert found.resume.command == "batchrun run jobs.jsonl"
    counted = standing(ended(1, "finished", counted=Totals(done=298, failed=2)))
    assert counted.resume.command is None


def test_without_any_run_the_checkpoint_tells_what_it_can() -> None:
    """Somebody kept the checkpoint and nothing else: the total is not known."""
    found = standing(replace(KILLED, runs=[], snapshot=None, counted=Totals(done=5)))
    assert (found.total, found.pending) == (None, None)
    text = page(found)
    assert text.startswith("jobs.jsonl: no run is at work")
    assert "finished | 5: 5 done" in text
    assert found.resume.command == "batchrun run jobs.jsonl"


def test_a_run_that_went_quiet_is_remarked_upon() -> None:
    """Its process lives and writes nothing: suspended, or the machine slept."""
    assert quiet_remark(standing(AT_WORK)) is None
    assert quiet_remark(standing(KILLED)) is None
    remark = quiet_remark(standing(replace(AT_WORK, now=stamp(719 + 600))))
    assert remark is not None
    assert "nothing for 10 min" in remark


def test_the_json_has_the_keys_of_the_contract() -> None:
    """The same keys whether a run is at work or not."""
    promised = {"schema", "running", "pid", "host", "started", "total", "done", "incomplete", "refused", "failed"}
    promised |= {"pending", "in_flight", "gates", "cpu", "tok_s", "eta_s", "cost_usd", "last_error"}
    for seen in (AT_WORK, KILLED, replace(KILLED, runs=[], snapshot=None)):
        assert promised <= set(status_facts(standing(seen)))
    facts = status_facts(standing(AT_WORK))
    assert (facts["running"], facts["pid"], facts["host"], facts["pending"]) == (True, 4242, "host", 180)
    assert facts["gates"]["claude"]["limited_by"] == "cpu"
    gone = status_facts(standing(KILLED))
    assert (gone["running"], gone["pid"], gone["in_flight"], gone["gates"], gone["cpu"]) == (False, None, 0, {}, None)


SPENT = Spent(0.5, 119, 1, 0.02, 0, 0.0, 90_000, ("llama3.2",))


def test_what_was_spent_is_told_of_the_newest_run_and_of_no_other() -> None:
    """While it works by its snapshot, afterwards by its end; an older run's figures are not shown for a new one's."""
    told = snapshot(cost_usd=0.5, spent=SPENT.told())
    at_work = standing(replace(AT_WORK, snapshot=told))
    assert "cost | $0.50, 1 item of unknown price, about $0.02 more on failed attempts" in page(at_work)
    facts = status_facts(at_work)
    assert (facts["cost_usd"], facts["spent"]["items_unpriced"]) == (0.5, 1)
    killed = standing(replace(KILLED, snapshot=told))
    assert "failed attempts (the last run)" in page(killed)
    end = RunEnd("run-1", stamp(730), 0, "finished", spent=replace(SPENT, usd=0.75).told())
    assert status_facts(standing(replace(KILLED, runs=[Run(START, end)], snapshot=told)))["cost_usd"] == 0.75
    fresh = standing(replace(AT_WORK, snapshot=told, runs=[Run(replace(START, run="run-2"), None)], alive="run-2"))
    assert (status_facts(fresh)["cost_usd"], "cost" in page(fresh)) == (None, False)


def test_a_run_of_unknown_prices_has_no_cost_of_nothing() -> None:
    """null for programs, and no figure for people."""
    unknown = Spent(items_unpriced=120, unknown_models=("llama3.2",))
    found = standing(replace(AT_WORK, snapshot=snapshot(spent=unknown.told())))
    assert status_facts(found)["cost_usd"] is None
    assert "cost | 120 items of unknown price" in page(found)
    assert "$" not in page(found)


@pytest.mark.parametrize("change", [{"gates": None}, {"total": "many"}, {"t": None, "gates": []}, {"last_error": "x"}])
def test_a_snapshot_that_is_none_is_not_known(change: dict[str, Any]) -> None:
    """Whatever stands in status.json, `status` answers."""
    assert snapshot_of(snapshot_fields("run-1", 719) | change) is None


def test_a_snapshot_of_a_later_version_is_read_as_far_as_it_is_known() -> None:
    """A newer run may say more."""
    fields = snapshot_fields("run-1", 719) | {"weather": "fine"}
    assert snapshot_of(fields) == snapshot()


def test_a_run_that_is_just_starting_shows_what_is_known_of_the_one_before() -> None:
    """It has the lock, and is still reading the job file; nothing of the killed run is taken for its own."""
    newer = replace(HOLDER, started=stamp(715))
    found = standing(replace(AT_WORK, holder=newer, alive=None, is_starting=True, counted=Totals(done=121)))
    text = page(found)
    headline = "jobs.jsonl: a run is just starting, since 22:11:55 (pid 4242 on host)"
    assert text.startswith(f"{headline}\n\nrun before | killed")
    assert "finished | 121 of 300 (40 %)" in text
    assert "slots" not in text
    assert "batchrun run" not in text
    facts = status_facts(found)
    assert (facts["running"], facts["starting"], facts["started"]) == (True, True, stamp(715))
    assert facts["resume"]["command"] is None


def test_a_run_that_stops_is_limited_by_that_and_has_no_time_left_to_tell() -> None:
    """Neither too few items nor the CPU keeps it from more."""
    stopping = snapshot(reason="SIGTERM received", gates={"claude": gate(12, "jobs", "no item waits for a slot")})
    text = page(standing(replace(AT_WORK, snapshot=stopping)))
    assert "claude | 11 of 12 slots taken; limited by the stop that was asked for" in text
    assert "time left" not in text
    assert "too few items" not in text


def test_each_gate_has_its_line() -> None:
    """By the name of its backend, with what limits it."""
    gates = {"claude": gate(12, "cpu", "CPU 64 %"), "ollama": gate(2, "paused", "paused by batchrun tune")}
    text = page(standing(replace(AT_WORK, snapshot=snapshot(gates=gates))))
    assert "claude | 11 of 12 slots taken; limited by the CPU target: CPU 64 %" in text
    assert "ollama | 1 of 2 slots taken; limited by `batchrun tune --pause`\n" in text


def test_one_failed_attempt_is_one() -> None:
    """And no plural."""
    assert "1 failed attempt\n" in page(standing(replace(AT_WORK, snapshot=snapshot(retries=1))))


def test_a_snapshot_that_tells_what_is_asked_again_is_believed() -> None:
    """Where the log is too long to be counted."""
    after = snapshot(done=298, incomplete=0, failed=2, pending=0, again=1)
    text = page(standing(ended(1, "finished", snapshot=after)))
    assert "pending | 0; 1 of the failed to be asked again" in text
    assert "To go on (1 of the failed to be asked again):" in text
    none = standing(ended(1, "finished", snapshot=replace(after, again=0)))
    assert none.resume.command is None


def test_a_job_file_that_has_changed_is_a_reason_to_run_again() -> None:
    """Its ids count where they are known; where not, nobody says that nothing is left."""
    all_done = Totals(done=300)
    text = page(standing(ended(0, "finished", counted=all_done, file=JobFileNow(None, is_changed=True))))
    assert "To go on (the job file has changed since the last run: run it again to see what is pending):" in text
    ids = frozenset(str(number) for number in range(310))
    text = page(standing(ended(0, "finished", counted=all_done, file=JobFileNow(ids, is_changed=True))))
    assert "finished | 300 of 310 (97 %)" in text
    assert "To go on (10 pending; the job file has changed since the last run):" in text


def test_finished_items_with_another_request_are_told() -> None:
    """As the newest run counted them."""
    found = standing(ended(0, "finished", counted=Totals(done=300), changed=1))
    told = "1 finished item asks something else there now; the old answer was kept (--changed ask asks it again)"
    assert f"job file | {told}" in page(found)
    assert status_facts(found)["items_changed"] == 1


def test_what_three_runs_could_not_finish_is_told_of_a_log_too_long_to_be_counted() -> None:
    """As the run said it last; while one is at work, too."""
    told = {"pending": 0, "again": 0, "done": 296, "failed": 3, "given_up": {"items": 3, "kept": 3}}
    found = standing(ended(1, "finished", snapshot=snapshot(**told)))
    assert found.resume.command == "batchrun run jobs.jsonl --retry sink"
    assert found.totals is not None
    assert found.totals.given_up == GivenUp(3, 3)
    assert status_facts(found)["given_up"] == {"items": 3, "kept": 3}
    at_work = page(standing(replace(AT_WORK, snapshot=snapshot(**told))))
    assert "given up | 3 whole answers are kept that no sink took in 3 runs: --retry sink" in at_work
