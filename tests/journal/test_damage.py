"""Files after a bad sector, an editor or another tool: no start stumbles over them, and nothing is dropped in silence.

Each damaged state is held to the promise by the inspection of the crash-state model: every answer that still stands in
results.jsonl is found, once; what does not count is kept or stays where it is, and is said; another start is idle.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchrun.journal.record import encode_result, is_sealed
from batchrun.outcome import Outcome
from tests.journal.builders import failure, lines_of, outcome, state_in, write
from tests.journal.crash.files import read_back
from tests.journal.crash.inspection import CHECKPOINT, RESULTS, Crashed, Inspector
from tests.journal.crash.parts import memory
from tests.journal.disks import DiskInMemory
from tests.soak import Soak

ROOT = Path(__file__).resolve().parents[2]
Damage = Callable[[bytes], bytes]
# Offsets point behind the damage, so what stood at the head of results.jsonl stays as it is.
BEARABLE = {"results.jsonl has no header"}
FOREIGN = "not a file of this batchrun"


class Night:
    """The files that a night has left, and the one place where what was done to them is judged."""

    def __init__(self, place: Path, outcomes: list[Outcome]) -> None:
        self.handed = {encode_result(each): each for each in outcomes}
        state = state_in(place)
        write(state, *outcomes, disk=DiskInMemory())
        self.files = read_back(state.path)
        self._inspector = Inspector(place / "inspected")

    def violations(self, changed: dict[str, bytes], others: Night | None = None) -> list[str]:
        """What is wrong after a start on these files in the place of its own; `others` gave answers too."""
        files, handed = self.files | changed, self.handed | (others.handed if others else {})
        told = frozenset(line for line in handed if line in files[RESULTS])
        found = self._inspector.violations(Crashed(files, told, handed))
        if len(found) == 1 and FOREIGN in found[0] and self._is_untouched(files):
            return []
        return [violation for violation in found if violation not in BEARABLE]

    def _is_untouched(self, files: dict[str, bytes]) -> bool:
        """Refused rightly: of one of the files nothing is left that is ours, and all stay as they are."""
        is_strange = any(not any(map(is_sealed, data.split(b"\n"))) for data in files.values())
        return is_strange and read_back(self._inspector.state.path) == files


@pytest.fixture(scope="module")
def night() -> Iterator[Night]:
    """Four answers and a failure."""
    with tempfile.TemporaryDirectory(dir=memory()) as place:
        named = [outcome("a"), outcome("b", text='Köln \u2028 {"id":'), failure("c"), outcome("d"), outcome("e")]
        yield Night(Path(place), named)


@pytest.fixture(scope="module")
def short_night() -> Iterator[Night]:
    """Two answers."""
    with tempfile.TemporaryDirectory(dir=memory()) as place:
        yield Night(Path(place), [outcome("a"), outcome("b")])


@pytest.fixture(scope="module")
def long_night() -> Iterator[Night]:
    """Fifty answers."""
    with tempfile.TemporaryDirectory(dir=memory()) as place:
        yield Night(Path(place), [outcome(str(number)) for number in range(50)])


# -- cut anywhere ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [RESULTS, CHECKPOINT])
def test_a_file_may_be_cut_at_any_byte(short_night: Night, name: str) -> None:
    """Cut results lose what is cut off, cut checkpoints nothing; whatever follows is whole."""
    assert cut_wrongly(short_night, name, range(len(short_night.files[name]))) == []


@pytest.mark.parametrize("name", [RESULTS, CHECKPOINT])
def test_a_long_file_may_be_cut_near_the_end_of_a_line_or_anywhere(long_night: Night, name: str) -> None:
    """Fifty records: each end of a line and its neighbours, and some of all other places."""
    data = long_night.files[name]
    ends = [end for end, byte in enumerate(data) if byte == ord("\n")]
    near = chain.from_iterable(range(end - 1, end + 2) for end in ends)
    anywhere = random.Random(1).sample(range(len(data)), len(data) // 60)
    assert cut_wrongly(long_night, name, {*near, *anywhere}) == []


@pytest.mark.soak
@pytest.mark.parametrize("name", [RESULTS, CHECKPOINT])
def test_a_long_file_may_be_cut_at_any_byte(long_night: Night, name: str, soak: Soak) -> None:
    """Fifty records, each of their bytes, in the order of the seed: all of them where the budget lasts for a minute."""
    places = list(range(len(long_night.files[name])))
    random.Random(soak.seed).shuffle(places)
    end = time.monotonic() + soak.budget_seconds
    for cuts in batched(places, 100):
        assert cut_wrongly(long_night, name, cuts) == []
        if time.monotonic() > end:
            return


def cut_wrongly(night: Night, name: str, cuts: Iterable[int]) -> list[str]:
    data = night.files[name]
    return [f"cut at {cut}: {found}" for cut in sorted(cuts) for found in night.violations({name: data[:cut]})]


def batched(places: list[int], size: int) -> Iterator[list[int]]:
    return (places[start : start + size] for start in range(0, len(places), size))


# -- what people, tools and sectors do ---------------------------------------------------------------------------------


def nuls(start: int, length: int) -> Damage:
    """A stretch reads as NULs; a negative start counts from the end."""

    def change(data: bytes) -> bytes:
        first = start % len(data)
        return data[:first] + b"\0" * min(length, len(data) - first) + data[first + length :]

    return change


def lines(change: Callable[[list[bytes]], list[bytes]]) -> Damage:
    return lambda data: b"".join(change(data.splitlines(keepends=True)))


CORPUS: dict[str, Damage] = {
    "a NUL at the head": nuls(0, 1),
    "NULs over half the header": nuls(0, 100),
    "NULs over the header and a record": nuls(0, 400),
    "a hole in the header": nuls(20, 30),
    "NULs in the middle": nuls(900, 30),
    "NULs over several records": nuls(700, 900),
    "NULs over the end of a line": lambda data: nuls(data.index(b"\n", 600) - 3, 6)(data),
    "a NUL for a newline": lambda data: nuls(data.index(b"\n", 600), 1)(data),
    "NULs at the tail": nuls(-40, 40),
    "a NUL for the last newline": nuls(-1, 1),
    "NULs behind the tail": lambda data: data + b"\0" * 5000,
    "NULs behind the tail, and a newline": lambda data: data + b"\0" * 5000 + b"\n",
    "NULs all over": lambda data: b"\0" * len(data),
    "two lines glued": lambda data: data.replace(b"\n", b"", 3).replace(b"}{", b"}\n{", 2),
    "all lines glued": lambda data: data.replace(b"\n", b"") + b"\n",
    "all lines glued, the last one too": lambda data: data.replace(b"\n", b""),
    "newlines became spaces": lambda data: data.replace(b"\n", b" "),
    "a stub glued to each line": lambda data: data.replace(b"\n{", b'\n{"id":"x","status":"do{'),
    "a BOM": lambda data: b"\xef\xbb\xbf" + data,
    "CRLF": lambda data: data.replace(b"\n", b"\r\n"),
    "a BOM and CRLF": lambda data: b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n"),
    "CR alone": lambda data: data.replace(b"\n", b"\r"),
    "UTF-16": lambda data: data.decode().encode("utf-16"),
    "Latin-1": lambda data: data.decode().encode("latin-1", errors="replace"),
    "invalid UTF-8 in a text": lambda data: data.replace(b"finished", b"finish\xff\xfe", 3),
    "a bit flipped in each line": lambda data: data.replace(b'"status":"done"', b'"status":"dooe"'),
    "blank lines": lambda data: data.replace(b"\n", b"\n\n"),
    "blank lines at the end": lambda data: data + b"\n\n\n",
    "a comment": lambda data: data.replace(b"\n", b"\n# looked at on Monday\n", 2),
    "another tool's line at the end": lambda data: data + b'{"custom_id": "x", "response": null}\n',
    "a forged record": lambda data: data + b'{"id":"forged","status":"done","crc":"00000000"}\n',
    "sorted": lines(sorted),
    "backwards": lines(lambda all_of_them: all_of_them[::-1]),
    "every other line": lines(lambda all_of_them: all_of_them[::2]),
    "without its header": lines(lambda all_of_them: all_of_them[1:]),
    "its last line alone": lines(lambda all_of_them: all_of_them[-1:]),
    "a line taken out": lines(lambda all_of_them: all_of_them[:2] + all_of_them[3:]),
    "made pretty": lambda data: data.replace(b",", b",\n  "),
    "emptied": lambda data: b"",
    "something else": lambda data: b"PK\x03\x04 this was an archive\n",
}


@pytest.mark.parametrize("names", [(RESULTS,), (CHECKPOINT,), (RESULTS, CHECKPOINT)], ids="+".join)
@pytest.mark.parametrize("what", CORPUS)
def test_a_start_makes_the_best_of_it(night: Night, what: str, names: tuple[str, ...]) -> None:
    """In one file or both."""
    assert night.violations({name: CORPUS[what](night.files[name]) for name in names}) == []


@pytest.mark.parametrize("name", [RESULTS, CHECKPOINT])
def test_one_file_may_be_that_of_another_night(night: Night, long_night: Night, name: str) -> None:
    """A backup that was put back beside the wrong half: whose answers stand there are found, the others asked again."""
    assert night.violations({name: long_night.files[name]}, others=long_night) == []


# -- anything at all ---------------------------------------------------------------------------------------------------

PLACES = st.integers(0, 4000)
JUNK = st.one_of(st.binary(max_size=40), st.sampled_from([b"\n", b"\0" * 40, b'{"id":', b',"crc":"00000000"}\n']))
DAMAGES = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["cut", "flip"]), PLACES, PLACES, st.just(b"")),
        st.tuples(st.sampled_from(["insert", "overwrite"]), PLACES, PLACES, JUNK),
        st.tuples(st.sampled_from(["take out", "swap"]), PLACES, st.integers(1, 900), st.just(b"")),
    ),
    max_size=4,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(to_checkpoints=DAMAGES, to_results=DAMAGES)
def test_no_damage_is_an_accident(
    night: Night, to_checkpoints: list[tuple[str, int, int, bytes]], to_results: list[tuple[str, int, int, bytes]]
) -> None:
    """Flipped, cut, inserted, overwritten, taken out or swapped, several times in both files."""
    changed = dict(night.files)
    for name, changes in ((CHECKPOINT, to_checkpoints), (RESULTS, to_results)):
        for change in changes:
            changed[name] = damaged(changed[name], *change)
    assert night.violations(changed) == []


def damaged(data: bytes, kind: str, place: int, other: int, junk: bytes) -> bytes:
    place %= len(data) + 1
    match kind:
        case "cut":
            return data[:place]
        case "flip":
            return data[:place] + bytes([data[place] ^ (1 << other % 8)]) + data[place + 1 :] if data[place:] else data
        case "insert":
            return data[:place] + junk + data[place:]
        case "overwrite":
            return data[:place] + junk + data[place + len(junk) :]
        case "take out":
            return data[:place] + data[place + other :]
        case _:
            return (
                data[:place]
                + data[place + other : place + 2 * other]
                + data[place : place + other]
                + data[place + 2 * other :]
            )


# -- large lines -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "what"),
    [(RESULTS, "\0"), (RESULTS, "x"), (RESULTS, '{"id":'), (RESULTS, ',"crc":"00000000"}'), (CHECKPOINT, "\0")],
)
def test_a_line_of_a_hundred_megabytes_does_not_fill_the_memory(tmp_path: Path, name: str, what: str) -> None:
    """Whatever it is made of, at the end and in the middle: a start holds three of it at most, and the records round it
    are found (C16).
    """
    state = state_in(tmp_path)
    write(state, outcome("a"), outcome("b"))
    piece = what.encode()
    large = piece * ((100 << 20) // len(piece))
    path = state.path / name
    *before, last = lines_of(path)
    with path.open("wb") as file:
        for part in (*before, large, last, large):
            file.write(part)
    program = [sys.executable, "-m", "tests.journal.start", str(state.path), "a", "b"]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 400
