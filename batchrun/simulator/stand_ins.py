"""What comes in the place of an answer, from somebody in between or by mistake. Pure."""

from __future__ import annotations

from dataclasses import replace

from batchrun.simulator.delivery import whole
from batchrun.simulator.framing import LAST_CHUNK, stream_head
from batchrun.simulator.script import Part, Script, json_script

_HTML = {"content-type": "text/html; charset=utf-8"}
# A path of this server: whoever follows it is seen here, and reaches nobody else.
ELSEWHERE = "/_simulator/elsewhere"


def portal(part: Part) -> Script:
    return json_script(200, page("Welcome to the guest network: please sign in"), part.request_id, _HTML)


def redirect(part: Part) -> Script:
    return json_script(307, b"", part.request_id, _HTML | {"location": ELSEWHERE})


def empty(part: Part) -> Script:
    if part.streamed:
        return Script(200, iter([(part.scenario.ttft, stream_head(part.request_id, part.headers) + LAST_CHUNK, 0)]))
    return json_script(200, b"", part.request_id, part.headers)


def swapped(part: Part) -> Script:
    return whole(replace(part, streamed=not part.streamed))


def gateway_page(status: int, request_id: str, headers: dict[str, str] | None = None) -> Script:
    """An error with the page of a gateway for its body."""
    return json_script(status, page(f"{status} from the gateway"), request_id, _HTML | (headers or {}))


def page(title: str) -> bytes:
    """A page as people see it, with markup that is no part of what it says."""
    return f"<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>".encode()
