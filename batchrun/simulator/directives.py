"""What a prompt may ask of the simulator in double square brackets, so that one item of a job file can be scripted.

    [[tokens=500]]      the answer has exactly 500 tokens (as far as max_tokens allows); 0 is an answer without content
    [[refuse]]          a few tokens, then the stop reason `refusal`
    [[stop=pause_turn]] the answer ends with this stop reason
    [[error=400]]       the request is answered with this status (400 to 599)
    [[fault=reset]]     the response suffers this fault: reset, cut, truncated, silence or slow (see `faults.py`)

`[[error=529*2]]` and `[[fault=silence*2]]` hold for the first two times that the request is seen; later ones are
answered. Only the last user message counts. Anything else in double brackets is text: prompts may hold wiki links.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_DIRECTIVE = re.compile(
    r"\[\[(?:(?P<name>refuse)"
    r"|tokens=(?P<tokens>\d{1,6})"
    r"|stop=(?P<stop>[a-z_]{1,40})"
    r"|error=(?P<error>[45]\d\d)(?:\*(?P<errors>\d{1,6}))?"
    r"|fault=(?P<fault>reset|cut|truncated|silence|slow)(?:\*(?P<faults>\d{1,6}))?"
    r")\]\]"
)


@dataclass(frozen=True, slots=True)
class Directives:
    """The script of one prompt; where a directive stands twice, the last one holds.

    `fault` is a status in digits or the name of a fault; it holds for the first `times` requests, None being all.
    """

    tokens: int | None = None
    stop_reason: str | None = None
    fault: str | None = None
    times: int | None = None

    def fault_for(self, seen: int) -> str | None:
        """The scripted fault of a request that was seen `seen` times before, or None."""
        return self.fault if self.times is None or seen < self.times else None


def directives_in(prompt: str) -> Directives:
    """The directives of a prompt."""
    if "[[" not in prompt:
        return Directives()
    tokens = stop_reason = fault = times = None
    for match in _DIRECTIVE.finditer(prompt):
        tokens = match["tokens"] or tokens
        stop_reason = "refusal" if match["name"] else match["stop"] or stop_reason
        if match["error"] or match["fault"]:
            fault = match["error"] or match["fault"]
            times = match["errors"] or match["faults"]
    return Directives(
        tokens=int(tokens) if tokens else None,
        stop_reason=stop_reason,
        fault=fault,
        times=int(times) if times else None,
    )


def without_directives(prompt: str) -> str:
    """The prompt as a reader would quote it."""
    return _DIRECTIVE.sub("", prompt)
