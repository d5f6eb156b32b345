"""What a disk may hold after a power cut: neither less nor more than the assumptions say."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from tests.journal.crash.medium import (
    FOLDER,
    Cut,
    Event,
    Files,
    Named,
    NamesSynced,
    Renamed,
    Synced,
    SyncFailed,
    Told,
    Wrote,
    moments,
)
from tests.journal.crash.sampling import States

OLD: Files = {"a": b"old\n"}


def contents(trace: Sequence[Event], found: Files = OLD, name: str = "a") -> set[bytes | None]:
    """All that may stand in a file, whenever the power goes; None: there is no such file."""
    return {state.moment.after(state.fates).get(name) for state in States(list(moments(trace, found)))}


def last_contents(trace: Sequence[Event], found: Files = OLD, name: str = "a") -> set[bytes | None]:
    """The same where the power goes at the end."""
    return {state.moment.after(state.fates).get(name) for state in States(list(moments(trace, found))[-1:])}


def test_a_write_may_arrive_up_to_any_byte_or_leave_nuls() -> None:
    """Nothing, a beginning, an end behind NULs, a hole, and all of it; what was safe before is never touched."""
    found = contents([Wrote(0, 4, b"vwxyz")])
    assert {b"old\n", b"old\nv", b"old\nvwxyz", b"old\nvw\0\0\0", b"old\n\0\0\0yz", b"old\nv\0\0yz"} <= found
    allowed = re.compile(b"old\n(?:v|\0)?(?:w|\0)?(?:x|\0)?(?:y|\0)?(?:z|\0)?")
    assert all(data is not None and allowed.fullmatch(data) for data in found)


def test_what_was_synced_is_there() -> None:
    """And nothing else makes it so: not the sync of another file, nor that of the directory."""
    assert last_contents([Wrote(0, 4, b"x"), Synced(0)]) == {b"old\nx"}
    assert b"old\n" in last_contents([Wrote(0, 4, b"x"), Synced(1), NamesSynced(".")])


def test_a_later_write_may_arrive_without_the_earlier_one() -> None:
    """The gap reads as NULs."""
    assert b"old\n\0\0z" in contents([Wrote(0, 4, b"xy"), Wrote(0, 6, b"z")])


def test_a_cut_may_not_have_happened() -> None:
    """Until it is synced, with all that was written before."""
    trace: list[Event] = [Cut(0, 1)]
    assert contents(trace) == {b"old\n", b"o"}
    assert last_contents([*trace, Synced(0)]) == {b"o"}


def test_a_synced_file_may_have_no_name() -> None:
    """Not before its directory is synced."""
    trace: list[Event] = [Named("b", 1), Wrote(1, 0, b"x"), Synced(1)]
    assert last_contents(trace, name="b") == {b"x", None}
    assert last_contents([*trace, NamesSynced(".")], name="b") == {b"x"}


def test_a_file_goes_with_its_directory() -> None:
    """The name of a directory stands in its parent, and is made safe there."""
    trace: list[Event] = [Named("d", FOLDER), Named("d/b", 1), NamesSynced("d")]
    assert last_contents(trace, name="d/b") == {b"", None}
    assert last_contents([*trace, NamesSynced(".")], name="d/b") == {b""}


def test_a_rename_leaves_one_or_the_other() -> None:
    """Never neither; but the other may not have its bytes yet."""
    assert contents([Named("b", 1), Wrote(1, 0, b"x"), Synced(1), Renamed("b", "a", 1)]) == {b"old\n", b"x"}
    assert b"" in contents([Named("b", 1), Wrote(1, 0, b"x"), Renamed("b", "a", 1)])


def test_what_a_sync_refused_no_later_one_makes_safe() -> None:
    """Though it reports success."""
    found = last_contents([Wrote(0, 4, b"x"), SyncFailed(0), Wrote(0, 5, b"y"), Synced(0)])
    assert found == {b"old\n\0y", b"old\nxy"}


def test_what_was_told_later_is_asked_of_later_moments() -> None:
    """A cut before the word was given owes nothing."""
    trace: list[Event] = [Synced(0), Told(frozenset({b"x"})), Synced(0)]
    assert [moment.told for moment in moments(trace, OLD)] == [frozenset(), frozenset({b"x"}), frozenset({b"x"})]


def test_as_many_states_are_drawn_as_are_asked_for() -> None:
    """The same for the same seed."""
    states = States(list(moments([Wrote(0, 4, b"x\n"), Wrote(0, 6, b"yz\n")], OLD)))
    assert len(list(states)) == states.count
    assert list(states.draw(20, random.Random(1))) == list(states.draw(20, random.Random(1)))
    assert len(list(states.draw(20, random.Random(2)))) == 20
