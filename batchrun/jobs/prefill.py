"""Items that begin the answer for the model, which current models refuse with a 400 (F35): counted, and told once."""

from __future__ import annotations

from dataclasses import dataclass

from batchrun.jobs.job import Job
from batchrun.plural import counted
from batchrun.providers.provider import Wire


@dataclass(slots=True)
class Prefills:
    """`first_line` is that of the first of them in the job file, 0 while there is none."""

    items: int = 0
    first_line: int = 0

    def add(self, job: Job) -> None:
        if begins_its_answer(job):
            self.items += 1
            self.first_line = self.first_line or job.line

    def notice(self) -> str | None:
        """One sentence for the operator; a warning, for older models and other servers take it."""
        if not self.items:
            return None
        who = counted(self.items, "item ends", "items end")
        where = f"line {self.first_line}" if self.items == 1 else f"the first on line {self.first_line}"
        remedy = "end with the user's words and say there how the answer is to begin"
        return f"{who} with the assistant's words ({where}), which current Claude models refuse with a 400; {remedy}"


def begins_its_answer(job: Job) -> bool:
    """Whether the last message is the assistant's, in plain words. One that ends in a call of the provider's own tools
    is an answer that has paused, and may go on. (On the other wire nobody minds.)"""
    last = job.body["messages"][-1]
    if job.wire is not Wire.MESSAGES or last.get("role") != "assistant":
        return False
    content = last.get("content")
    blocks = content if isinstance(content, list) else []
    return all(isinstance(block, dict) and block.get("type") == "text" for block in blocks)
