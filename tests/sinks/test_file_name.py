"""Names of files: safe whatever the id, and never shared."""

from __future__ import annotations

import re
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrun.sinks.file_name import MAX_LENGTH, file_name

# What collides somewhere: case, accents in two spellings, escapes, separators, dots, what looks like our own marks.
NASTY = st.lists(
    st.sampled_from([*"aAbB1.-_~%/\\: \0\n", "é", "e\u0301", "ß", "ſ", "\u212a", "文"]), min_size=1, max_size=6
).map("".join)
IDS = st.one_of(NASTY, st.text(min_size=1, max_size=300))


@pytest.mark.parametrize("id", ["a", "row-17", "site_2.page-3", "0001", "a.txt", "x" * MAX_LENGTH])
def test_an_ordinary_id_keeps_its_name(id: str) -> None:
    """Lower-case letters, digits, `-`, `_` and `.`."""
    assert file_name(id) == id


@pytest.mark.parametrize(
    ("id", "head"),
    [
        ("Row 17", "Row%2017"),
        ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd"),
        ("/etc/passwd", "%2Fetc%2Fpasswd"),
        ("..", "%2E."),
        (".hidden", "%2Ehidden"),
        ("-rf", "%2Drf"),
        ("con", "%63on"),
        ("NUL.txt", "%4EUL.txt"),
        ("a\0b", "a%00b"),
        ("a\nb", "a%0Ab"),
        ("文", "%E6%96%87"),
        ("a~b", "a%7Eb"),
    ],
)
def test_any_other_is_encoded_and_gets_a_hash(id: str, head: str) -> None:
    """Still to be recognised, and told apart from what looks alike."""
    name = file_name(id)
    assert name.startswith(f"{head}~")
    assert re.fullmatch(r"[0-9a-f]{16}", name.removeprefix(f"{head}~"))


def test_a_name_that_is_cut_is_cut_between_escapes() -> None:
    """Half an escape would be read as something else."""
    for length in range(140, 160):
        head, _, _ = file_name("x" * length + "文" * 20).partition("~")
        assert re.fullmatch(r"x+(%[0-9A-F]{2})*", head)


@given(id=IDS)
def test_a_name_is_safe_everywhere(id: str) -> None:
    """One part of a path under any system, short enough, ASCII, neither hidden nor an option nor a device."""
    name = file_name(id)
    assert name.isascii()
    assert name.isprintable()
    assert 0 < len(name) <= MAX_LENGTH
    assert not name.startswith((".", "-", "~"))
    for path in (PurePosixPath(name), PureWindowsPath(name)):
        assert path.parts == (name,)
    assert name.partition(".")[0].lower() not in {"con", "prn", "aux", "nul", "com1", "lpt9"}


@given(ids=st.lists(IDS, unique=True, min_size=2, max_size=30))
def test_no_two_ids_share_a_name_even_where_case_is_ignored(ids: list[str]) -> None:
    """On any file system each id has a file of its own, whatever endings are put behind the names."""
    names = [f"{file_name(id)}{ending}".casefold() for id in ids for ending in (".txt", ".json", "~refused.txt")]
    assert len(set(names)) == len(names)
