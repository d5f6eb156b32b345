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


def test_a_key_in_a_command_is_told_and_kept_nowhere_and_the_report_says_so(tmp_path: Path) -> None:
    """The shell has put it in the place of "$TOKEN": neither state nor screen has it, the command itself does."""
    write_jobs(tmp_path / "jobs.jsonl", [{"id": "a", "prompt": "x"}])
    command = f"test 'Bearer {CANARY}' = \"Bearer $(cat key)\""
    words = ("run", "jobs.jsonl", "--simulate", "--scenario", "instant", "--log", "log.txt", "--each", command)
    failed = batchrun(*words, cwd=tmp_path)
    assert failed.returncode == 1, failed.stderr
    report = batchrun("report", "jobs.jsonl", cwd=tmp_path)
    assert "type the secret again where *** stands" in report.stdout
    written = "".join(path.read_text(encoding="utf-8") for path in tmp_path.rglob("*") if path.is_file())
    assert CANARY not in written + failed.stderr + report.stdout + report.stderr
    (tmp_path / "key").write_text(CANARY)
    assert batchrun(*words, cwd=tmp_path).returncode == 0
