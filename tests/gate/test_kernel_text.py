"""What kernels write, read whole and in pieces; what is not what it should be is no number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrun.gate import kernel_text
from batchrun.gate.kernel_text import Membership, Task

STAT = "812 (a name) with (brackets) S 77 812 812 0 -1 4194560 1 2 3 4 50 20 7 3 20 0 4 0 900 1048576 256 18446744073"
PRESSURE = (
    "some avg10=24.24 avg60=51.88 avg300=48.12 total=1740120937\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
)


def test_the_membership_of_both_versions() -> None:
    """A hybrid system has both; a path may hold colons."""
    text = "9:name=systemd:/\n4:memory:/jobs/a:b\n1:cpu,cpuacct:/jobs\n0::/user.slice\n"
    told = kernel_text.membership(text)
    assert told == Membership(
        "/user.slice", {"name=systemd": "/", "memory": "/jobs/a:b", "cpu": "/jobs", "cpuacct": "/jobs"}
    )
    assert kernel_text.membership("") == Membership(None, {})


@pytest.mark.parametrize(
    ("text", "cores"),
    [("50000 100000\n", 0.5), ("400000 100000", 4.0), ("max 100000", None), ("max", None), ("", None), ("5 0", None)],
)
def test_a_quota_in_cores(text: str, cores: float | None) -> None:
    """None where nothing is limited, or nothing can be read."""
    assert kernel_text.cores_of_max(text) == cores


def test_a_quota_of_version_1_that_is_none() -> None:
    """It is written as -1."""
    assert kernel_text.cores_of_quota("-1\n", "100000\n") is None
    assert kernel_text.cores_of_quota("150000\n", "100000\n") == 1.5


def test_figures_by_name() -> None:
    """Lines that hold no figure are left out."""
    text = "usage_usec 1200\nnr_throttled 3\nbroken\nmore words here\nnegative -4\n"
    assert kernel_text.figures(text) == {"usage_usec": 1200, "nr_throttled": 3}


@pytest.mark.parametrize(
    ("text", "bytes_"), [("max\n", None), ("536870912\n", 536870912), ("9223372036854771712", None), ("", None)]
)
def test_a_size(text: str, bytes_: int | None) -> None:
    """Version 1 writes a number of almost 2^63 where nothing is limited."""
    assert kernel_text.size(text) == bytes_


def test_the_time_for_which_something_waited() -> None:
    """Not the averages: they look back on ten seconds and more."""
    assert kernel_text.waited(PRESSURE) == 1740120937
    assert kernel_text.waited("full avg10=0.00 total=5\n") is None


def test_a_process_whose_name_holds_brackets() -> None:
    """Counted from the last bracket on; the children that have ended are in the sum."""
    assert kernel_text.task(STAT) == Task(parent=77, ticks=80, pages=256)


@pytest.mark.parametrize("text", [STAT, PRESSURE, "usage_usec 1200\n", "50000 100000", "4:memory:/a\n0::/b"])
def test_a_text_that_is_cut_anywhere_is_no_error(text: str) -> None:
    """A file may vanish while it is read."""
    for end in range(len(text)):
        part = text[:end]
        kernel_text.task(part), kernel_text.waited(part), kernel_text.figures(part)
        kernel_text.cores_of_max(part), kernel_text.size(part), kernel_text.membership(part)


@given(st.text(max_size=60))
def test_any_text_is_no_error(text: str) -> None:
    """Whatever a kernel writes one day."""
    kernel_text.task(text), kernel_text.waited(text), kernel_text.figures(text)
    kernel_text.cores_of_max(text), kernel_text.size(text), kernel_text.membership(text)
