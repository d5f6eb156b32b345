"""What a prompt may ask of the simulator in double square brackets, so that one item of a job file can be scripted.

    [[tokens=500]]      the answer has exactly 500 tokens (as far as max_tokens allows); 0 is an answer without content
    [[refuse]]          a few tokens, then the stop reason `refusal`
    [[stop=max_tokens]] the answer ends with this stop reason
    [[error=400]]       the request is answered with this status (400 to 599)
    [[fault=reset]]     the response suffers this fault; `faults.py` has the table

Faults take options, such as `[[error=429 retry-after=90]]` or `[[fault=silence at=middle]]`. `[[error=529*2]]` and
`[[fault=silence at=first*2]]` hold for the first two times that the request is seen, later ones are answered;
`[[stop=pause_turn*2]]` holds for the first two turns of the answer. Only the last user message counts. Anything else in
double brackets is text: prompts may hold wiki links.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from batchrun.simulator.faults import Fault, fault_named, has_options

_DIRECTIVE = re.compile(
    r"\[\[(?:(?P<refuse>refuse)"
    r"|tokens=(?P<tokens>\d{1,6})"
    r"|stop=(?P<stop>[a-z_]{1,40})(?:\*(?P<turns>\d{1,6}))?"
    r"|(?:error=(?P<error>[45]\d\d)|fault=(?P<fault>[a-z_]{1,40}))"
    r"(?P<options>(?: [a-z-]{1,40}(?:=[a-z0-9_.+]{1,40})?){0,9})(?:\*(?P<times>\d{1,6}))?"
    r")\]\]"
)


@dataclass(frozen=True, slots=True)
class Directives:
    """The script of one prompt; where a directive stands twice, the last one holds.

    `fault` holds for the first `times` requests, `stop_reason` for the first `turns` of the answer; None being all.
    """

    tokens: int | None = None
    stop_reason: str | None = None
    turns: int | None = None
    fault: Fault | None = None
    times: int | None = None

    def fault_for(self, seen: int) -> Fault | None:
        """The scripted fault of a request that was seen `seen` times before, or None."""
        return self.fault if self.times is None or seen < self.times else None

    def stop_reason_for(self, turn: int) -> str | None:
        """The scripted stop reason of an answer of which `turn` parts have been given before, or None."""
        return self.stop_reason if self.turns is None or turn < self.turns else None


def directives_in(prompt: str) -> Directives:
    """The directives of a prompt."""
    asked = Directives()
    if "[[" not in prompt:
        return asked
    for match in _DIRECTIVE.finditer(prompt):
        if match["tokens"]:
            asked = replace(asked, tokens=int(match["tokens"]))
        elif match["refuse"] or match["stop"]:
            asked = replace(asked, stop_reason=match["stop"] or "refusal", turns=_count(match["turns"]))
        elif fault := _fault_in(match):
            asked = replace(asked, fault=fault, times=_count(match["times"]))
    return asked


def without_directives(prompt: str) -> str:
    """The prompt as a reader would quote it."""
    return _DIRECTIVE.sub(lambda match: match[0] if _is_text(match) else "", prompt)


def _fault_in(match: re.Match[str]) -> Fault | None:
    """The fault that is asked for; None where there is no such fault, or where it does not take these options."""
    fault = fault_named(match["error"] or match["fault"])
    options = dict(option.partition("=")[::2] for option in match["options"].split())
    return replace(fault, options=options) if fault and has_options(fault.kind, options) else None


def _is_text(match: re.Match[str]) -> bool:
    is_fault = match["error"] is not None or match["fault"] is not None
    return is_fault and _fault_in(match) is None


def _count(digits: str | None) -> int | None:
    return int(digits) if digits else None
