"""Where the installed program sends which key, as the servers that it asks see it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.cli.program import CANARY, batchrun, statuses, write_jobs
from tests.providers.scripted_server import Received, ScriptedServer, Wire, stream
from tests.stream import chunks, events

OWN_KEY = "sk-of-the-gateway-8842"
ANSWERS = {
    "/v1/messages": stream(events.on_the_wire(*events.answer("Hi"))),
    "/v1/chat/completions": stream(chunks.on_the_wire(*chunks.answer("Hi"))),
}
TABLES = """
[backends.messages]
base_url = "{url}"
[backends.chat]
kind = "openai"
base_url = "{url}/v1"
model = "llama"
[backends.gateway]
base_url = "{url}"
key_env = "GATEWAY_KEY"
"""


async def answer(wire: Wire, request: Received) -> None:
    await wire.send(ANSWERS[request.target])


async def test_claudes_key_reaches_no_other_backend_and_no_file(tmp_path: Path) -> None:
    """On neither wire, in no header; a key that is named goes to the backend that names it and is written nowhere."""
    names = ("messages", "chat", "gateway")
    write_jobs(tmp_path / "jobs.jsonl", [{"id": name, "prompt": name, "backend": name} for name in names])
    env = {"ANTHROPIC_API_KEY": CANARY, "ANTHROPIC_CUSTOM_HEADERS": f"X-Pass: {CANARY}", "GATEWAY_KEY": OWN_KEY}
    async with ScriptedServer(answer) as server:
        (tmp_path / "batchrun.toml").write_text(TABLES.format(url=server.url), encoding="utf-8")
        words = ("run", "jobs.jsonl", "--log", "log.txt")
        done = await asyncio.to_thread(batchrun, *words, cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    assert statuses(tmp_path / "jobs.batchrun") == dict.fromkeys(names, "done")
    sent = sorted(str(request.headers.get("authorization")) for request in server.received)
    assert sent == [f"Bearer {OWN_KEY}", "None", "None"]
    assert CANARY not in str(server.received)
    written = "".join(path.read_text(encoding="utf-8") for path in tmp_path.rglob("*") if path.is_file())
    assert [secret for secret in (CANARY, OWN_KEY) if secret in written + done.stderr] == []
    assert done.stderr.count("(no key)") == 2, done.stderr
