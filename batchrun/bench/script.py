"""The script that everybody writes: a semaphore round `messages.stream`, and each answer appended to a file.

    python -m batchrun.bench.script JOBS ANSWERS AT_ONCE

No retry, no gate, no resume: what it costs without them is what `bench pipeline` shows beside a run.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import anthropic


async def main(jobs: Path, answers: Path, at_once: int) -> None:
    client = anthropic.AsyncAnthropic(max_retries=0)
    semaphore = asyncio.Semaphore(at_once)

    with jobs.open(encoding="utf-8") as lines, answers.open("a", encoding="utf-8") as out:

        async def one(job: dict[str, Any]) -> None:
            async with semaphore:
                messages: Any = [{"role": "user", "content": job["prompt"]}]
                model, most = job["model"], job["max_tokens"]
                async with client.messages.stream(model=model, max_tokens=most, messages=messages) as stream:
                    text = await stream.get_final_text()
                out.write(json.dumps({"id": job["id"], "text": text}) + "\n")
                out.flush()

        async with asyncio.TaskGroup() as group:
            for line in lines:
                group.create_task(one(json.loads(line)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
