"""What stands in double brackets."""

from __future__ import annotations

import pytest

from batchrun.simulator.directives import Directives, directives_in, without_directives
from batchrun.simulator.faults import FAULTS, Fault, FaultKind, fault_named


def fault(name: str, **options: str) -> Fault:
    """A fault by its name; underscores in the names of options become dashes."""
    found = fault_named(name)
    assert found is not None
    return Fault(found.kind, found.status, options={key.replace("_", "-"): value for key, value in options.items()})


@pytest.mark.parametrize(
    ("prompt", "directives"),
    [
        ("plain", Directives()),
        ("[[tokens=500]]", Directives(tokens=500)),
        ("[[refuse]]", Directives(stop_reason="refusal")),
        ("[[stop=pause_turn]]", Directives(stop_reason="pause_turn")),
        ("[[stop=pause_turn*3]]", Directives(stop_reason="pause_turn", turns=3)),
        ("[[error=400]]", Directives(fault=fault("400"))),
        ("a [[error=529*2]] b", Directives(fault=fault("529"), times=2)),
        ("[[fault=silence*1]][[tokens=9]]", Directives(tokens=9, fault=fault("silence"), times=1)),
        ("[[error=429*3]] [[fault=reset]]", Directives(fault=fault("reset"))),
        ("[[fault=reset at=middle*2]]", Directives(fault=fault("reset", at="middle"), times=2)),
        ("[[fault=cut at=0.25]]", Directives(fault=fault("cut", at="0.25"))),
        ("[[error=429 retry-after=90]]", Directives(fault=fault("429", retry_after="90"))),
        (
            "[[error=503 html retry-after=date+9*1]]",
            Directives(fault=fault("503", html="", retry_after="date+9"), times=1),
        ),
        ("[[error=200]] [[fault=unheard]] [[Home]] [[tokens=-1]]", Directives()),
        ("[[fault=reset at=noon]] [[fault=cr at=first]] [[error=429 every=1]] [[error=429 html=x]]", Directives()),
        ("[[fault=status]] [[fault=none]]", Directives()),
    ],
)
def test_a_prompt_is_read(prompt: str, directives: Directives) -> None:
    """Known directives are found; all else is text: other names, and options that a fault does not take."""
    assert directives_in(prompt) == directives


@pytest.mark.parametrize("kind", [kind for kind in FAULTS if kind is not FaultKind.STATUS])
def test_every_fault_of_the_table_can_be_asked_for(kind: FaultKind) -> None:
    """By its name."""
    assert directives_in(f"[[fault={kind}]]").fault == Fault(kind)


def test_a_limited_fault_holds_for_its_number_of_requests() -> None:
    """`*2` is the first two; without it all."""
    limited = directives_in("[[error=529*2]]")
    assert [limited.fault_for(seen) for seen in range(4)] == [fault("529"), fault("529"), None, None]
    assert directives_in("[[error=529]]").fault_for(1000) == fault("529")


def test_a_limited_stop_reason_holds_for_its_number_of_turns() -> None:
    """An answer that pauses twice ends with its third part."""
    limited = directives_in("[[stop=pause_turn*2]]")
    assert [limited.stop_reason_for(turn) for turn in range(4)] == ["pause_turn", "pause_turn", None, None]
    assert directives_in("[[refuse]]").stop_reason_for(9) == "refusal"


def test_a_quotation_leaves_them_out() -> None:
    """What the reader wrote stays, a misspelt directive too."""
    assert without_directives("Tell [[tokens=5]]me [[refuse]]of [[Home]]") == "Tell me of [[Home]]"
    assert without_directives("[[fault=reset at=noon]] [[fault=reset at=last*1]]!") == "[[fault=reset at=noon]] !"
