"""The page about the embedded provider says what the tables in the code say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields

from batchrun.cli.simulate import EPILOG
from batchrun.simulator.faults import FAULTS, OPTIONS, FaultKind
from batchrun.simulator.scenario import Scenario
from tests.house.tree import ROOT

PAGE = ROOT / "docs" / "simulator.md"


def faults() -> Iterator[str]:
    for kind, row in FAULTS.items():
        name = "error=STATUS" if kind is FaultKind.STATUS else f"fault={kind}"
        only = " (streams only)" if row.streams_only else ""
        yield f"| `{name}` | {row.does}{only} | {', '.join(f'`{option}`' for option in row.options)} |"


def options() -> Iterator[str]:
    for name, (_, words) in OPTIONS.items():
        yield f"| `{name}` | {words} |"


def table(head: str) -> list[str]:
    """The rows below the line that heads them."""
    rows = PAGE.read_text(encoding="utf-8").partition(f"{head}\n")[2].splitlines()
    return rows[1 : rows.index("")]


def test_the_page_names_every_fault_and_every_option() -> None:
    """In the words of the code; paste what is missing."""
    assert table("| fault | what a client sees | options |") == list(faults())
    assert table("| option | what it says |") == list(options())


def test_the_page_names_every_setting_of_a_scenario() -> None:
    """Each with its default."""
    told = {
        name: default
        for row in table("| setting | default | meaning |")
        for names, default in [row.split(" | ")[:2]]
        for name in re.findall(r"`(\w+)`", names)
    }
    assert set(told) == {setting.name for setting in fields(Scenario)}
    for name, default in told.items():
        value = getattr(Scenario(), name)
        shown = "none" if value == {} else str(value).lower() if isinstance(value, bool) else f"{value:g}"
        assert default == shown, name


def test_the_help_of_the_command_names_every_fault() -> None:
    """For whoever has no page at hand."""
    assert [kind for kind in FAULTS if kind is not FaultKind.STATUS and not re.search(rf"\b{kind}\b", EPILOG)] == []
