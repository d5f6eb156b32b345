"""The things that look alike at night are told apart in the morning."""

from __future__ import annotations

from batchrun.failure import Cause
from batchrun.report.census import Loop
from batchrun.report.examples import Example
from batchrun.report.series import LimitShare
from batchrun.report.stalls import UNKNOWN, consumer, listed, provider, receive_side, stream
from batchrun.report.words import PROVIDER_CAUSES, STREAM_CAUSES


def test_a_pinned_loop_names_its_culprits() -> None:
    """All in flight see the loop pinned; the one with the largest own CPU did it."""
    found = receive_side(Loop(300, 12, 200, 0.2, 0.98), [Example(0.61, "item-17", "", 0, 0)])
    assert found.happened
    assert found.count == 12
    assert "12 of 300 items" in found.words
    assert "item-17 (0.61 cores)" in found.words


def test_an_idle_loop_means_that_the_network_sets_the_pace() -> None:
    """Below 0.3 cores it is the network and the provider."""
    found = receive_side(Loop(300, 0, 291, 0.12, 0.35), [])
    assert not found.happened
    assert "below 0.3 for 97 % of the items: the network and the provider set the pace" in found.words


def test_a_busy_loop_that_is_not_pinned_blames_nobody() -> None:
    """Between the two marks neither side is named."""
    found = receive_side(Loop(300, 0, 10, 0.55, 0.8), [])
    assert not found.happened
    assert "set the pace" not in found.words


def test_nothing_measured_is_said() -> None:
    """A night without a finished item has no loop to tell of."""
    assert receive_side(None, []).words == "nothing was measured: no item has finished"


def test_broken_streams_and_a_busy_provider_are_two_things() -> None:
    """Each counts its own causes and no other; a bad request is neither."""
    retried = {"silent": 9, "broken": 9, "rate_limited": 41, "overloaded": 20, "bad_request": 2}
    assert (stream(retried).count, provider(retried, []).count) == (18, 61)
    assert stream(retried).words == "18 attempts broke or went silent: broken 9, silent 9"
    assert provider(retried, []).words == "61 attempts turned away: rate_limited 41, overloaded 20"


def test_attempts_without_a_connection_are_named_apart() -> None:
    """No stream broke that was never open."""
    assert stream({"connect": 4711}).words == "could not connect: 4,711 attempts"
    both = stream({"connect": 1, "silent": 2})
    assert both.words == "could not connect: 1 attempt; 2 attempts broke or went silent: silent 2"
    assert (both.happened, both.count, both.causes) == (True, 3, {"connect": 1, "silent": 2})


def test_what_nobody_told_is_not_known() -> None:
    """A run that was killed at once may have met anything; what is known all the same is a part of it."""
    assert stream({}, is_known=False).words == UNKNOWN
    assert provider({}, [], is_known=False).words == UNKNOWN
    assert stream({"silent": 1}, is_known=False).words == "at least 1 attempt broke or went silent: silent 1"


def test_a_pause_is_told_even_where_few_attempts_were_turned_away() -> None:
    """One 429 may stop a backend for an hour."""
    found = provider({"rate_limited": 1}, [LimitShare("claude", "rate_limit", 0.4)])
    assert found.words == "1 attempt turned away: rate_limited 1; paused for 40 % of the time"


def test_a_quiet_night_says_so() -> None:
    """No flavour happened."""
    assert not stream({}).happened
    assert not provider({}, [LimitShare("claude", "cpu", 1.0)]).happened


def test_no_cause_is_two_flavours() -> None:
    """And every cause of the wire is one of them; what is the item's own fault, or ours, is none."""
    assert not STREAM_CAUSES & PROVIDER_CAUSES
    neither = set(Cause) - STREAM_CAUSES - PROVIDER_CAUSES
    assert neither == {
        Cause.LOCAL,
        Cause.BAD_REQUEST,
        Cause.TOO_LARGE,
        Cause.CREDENTIALS,
        Cause.UNKNOWN_MODEL,
        Cause.TLS,
        Cause.SINK,
        Cause.BUG,
    }


def test_causes_stand_in_the_order_of_their_numbers() -> None:
    """The most frequent first, then by name."""
    assert listed({"b": 2, "a": 2, "c": 1234}) == "c 1,234, a 2, b 2"


def test_of_several_backends_the_one_that_was_paused_is_named() -> None:
    """The other one went on."""
    found = provider({"rate_limited": 1}, [LimitShare("claude", "rate_limit", 0.4), LimitShare("ollama", "cpu", 1.0)])
    assert found.words == "1 attempt turned away: rate_limited 1; claude paused for 40 % of the time"


def test_a_sink_that_limits_items_is_told_with_them() -> None:
    """Neither our side nor the provider: the user's own consumer was what they waited for."""
    found = consumer(630.0, 12, [Example(90.0, "item-17", "", 0, 0), Example(60.0, "item-4", "", 0, 0)])
    assert found is not None
    assert (found.name, found.happened, found.count) == ("consumer", True, 12)
    slowest = "item-17 (90 s), item-4 (60 s)"
    assert found.words == f"the sinks held items up for 10 min in all, and were what limited 12 items: {slowest}"


def test_a_sink_that_was_waited_for_a_little_limits_nothing() -> None:
    """It is told, and is no reason to look; without sinks it is not even told."""
    found = consumer(3.0, 0, [])
    assert found is not None
    assert (found.happened, found.words) == (False, "the sinks held items up for 3.0 s in all")
    assert consumer(0.0, 0, []) is None


def test_nobody_is_named_whose_record_counts_no_longer() -> None:
    """All of them were delivered since."""
    found = consumer(3.0, 1, [])
    assert found is not None
    assert found.words.endswith("limited 1 item")
