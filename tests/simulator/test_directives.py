"""What stands in double brackets."""

from __future__ import annotations

import pytest

from batchrun.simulator.directives import Directives, directives_in, without_directives


@pytest.mark.parametrize(
    ("prompt", "directives"),
    [
        ("plain", Directives()),
        ("[[tokens=500]]", Directives(tokens=500)),
        ("[[refuse]]", Directives(stop_reason="refusal")),
        ("[[stop=pause_turn]]", Directives(stop_reason="pause_turn")),
        ("[[error=400]]", Directives(fault="400")),
        ("a [[error=529*2]] b", Directives(fault="529", times=2)),
        ("[[fault=silence*1]][[tokens=9]]", Directives(tokens=9, fault="silence", times=1)),
        ("[[error=429*3]] [[fault=reset]]", Directives(fault="reset")),
        ("[[error=200]] [[fault=unheard]] [[Home]] [[tokens=-1]]", Directives()),
    ],
)
def test_a_prompt_is_read(prompt: str, directives: Directives) -> None:
    """Known directives are found, all else is text."""
    assert directives_in(prompt) == directives


def test_a_limited_fault_holds_for_its_number_of_requests() -> None:
    """`*2` is the first two; without it all."""
    assert [directives_in("[[error=529*2]]").fault_for(seen) for seen in range(4)] == ["529", "529", None, None]
    assert directives_in("[[error=529]]").fault_for(1000) == "529"


def test_a_quotation_leaves_them_out() -> None:
    """What the reader wrote stays."""
    assert without_directives("Tell [[tokens=5]]me [[refuse]]of [[Home]]") == "Tell me of [[Home]]"
