"""The fault matrix: every way in which the provider and the wire can fail, and what becomes of the item each time.

All cases are played once, in one loop; then each is looked at. The loop is the one that a run takes on this machine;
asyncio's own, which others have, is the long way.
"""

from __future__ import annotations

import asyncio
import fcntl
import pickle
from collections import Counter
from pathlib import Path

import pytest

from batchrun.loop import loop_factory
from batchrun.outcome import Status
from batchrun.providers.provider import Wire
from batchrun.simulator.answers import answer_for
from batchrun.simulator.dialect import CHAT_API, MESSAGES_API
from tests.faults import answers, breakages, events, statuses
from tests.faults.bench import RequestsByPrompt, Seen, bench, job_of, prompt_of
from tests.faults.case import Case

CASES = {case.id: case for room in (statuses, breakages, events, answers) for case in room.cases()}
Played = tuple[dict[str, Seen], set[str]]


LOOPS = [
    pytest.param(loop_factory(), id="loop of a run"),
    pytest.param(asyncio.SelectorEventLoop, id="asyncio's own", marks=pytest.mark.slow),
]


@pytest.fixture(scope="module", params=LOOPS)
def played(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Played:
    """What came of each case that was selected, and which paths were asked for. Where several processes share the
    tests, the first one plays for all."""
    place = tmp_path_factory.mktemp("cases")
    wanted = {item.callspec.params.get("id") for item in request.session.items if hasattr(item, "callspec")}

    async def play() -> Played:
        log = RequestsByPrompt()
        async with bench(place, log) as stage:
            return await stage.play(case for id, case in CASES.items() if id in wanted), log.paths

    def play_now() -> Played:
        with asyncio.Runner(loop_factory=request.param) as runner:
            return runner.run(play())

    if not hasattr(request.config, "workerinput"):
        return play_now()
    shared = tmp_path_factory.getbasetemp().parent / f"played by {request.param.__module__}"
    with shared.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not shared.exists():
            shared.write_bytes(pickle.dumps(play_now()))
        told: Played = pickle.loads(shared.read_bytes())
        return told


def test_the_matrix_is_wide_enough() -> None:
    """On both wires, streamed and not; each case once."""
    rooms = (statuses, breakages, events, answers)
    assert len(CASES) == sum(1 for room in rooms for _ in room.cases())
    assert len(CASES) >= 150
    counts = Counter((case.wire, case.streamed) for case in CASES.values())
    assert min(counts.values()) >= 40
    assert len(counts) == 2 * len(Wire)


@pytest.mark.parametrize("id", CASES)
def test_a_fault_ends_as_it_should(id: str, played: Played, tmp_path: Path) -> None:
    """Status, attempts, causes, flags, and how often the provider was asked."""
    case, seen = CASES[id], played[0][id]
    end, outcome = case.end, seen.outcome
    assert (seen.requests, seen.attempts, seen.retried) == (end.requests, end.attempts, dict(end.retried))
    if outcome is None or end.status is None:
        assert (outcome, end.status) == (None, None)
        assert end.code in seen.codes
        return
    assert (outcome.status, outcome.stop_reason, outcome.final) == (end.status, end.stop_reason, end.final)
    assert set(outcome.flags) == set(end.flags)
    if end.status is Status.FAILED:
        assert outcome.error is not None
        assert outcome.error["cause"] == list(end.retried)[-1]
        assert outcome.text == ""
    elif end.is_whole:
        assert outcome.text == expected_text(case, tmp_path)


def test_nobody_was_asked_elsewhere(played: Played) -> None:
    """F33: a redirect is never followed; every request that came asked for the answer to an item, or for models to warm
    a connection."""
    assert played[1] <= {"/v1/messages", "/v1/chat/completions", "/v1/models"}


def expected_text(case: Case, place: Path) -> str:
    """The text that the provider gives to the request of this case."""
    [speech] = job_of(place, case).pending
    [job] = job_of(place, case).jobs(speech)
    assert prompt_of(case) in str(job.body)
    dialect = MESSAGES_API if case.wire is Wire.MESSAGES else CHAT_API
    return answer_for(dialect.request(job.body)).text
