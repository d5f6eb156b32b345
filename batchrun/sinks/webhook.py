"""`--webhook URL`: each answer is posted as JSON, again for a while where that fails, and signed where there is a
secret.

The signature is that of the bytes with their time, so that who receives them can tell them from a stranger's and from
old ones. The secret comes from the environment, never from argv.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import time
from collections.abc import Callable
from random import random
from urllib.parse import urlsplit

import orjson

from batchrun.errors import ConfigError
from batchrun.masking import scrubbed
from batchrun.providers.poster import Posted, Poster
from batchrun.providers.provider import LOOPBACK
from batchrun.sinks.config import TIME_LIMIT
from batchrun.sinks.sink import SinkItem
from batchrun.stream.pipe import SinkFailed

SECRET = "BATCHRUN_WEBHOOK_SECRET"  # noqa: S105 - the name of the variable that holds it
SIGNATURE = "Batchrun-Signature"
TRIES = 6  # over about half a minute; what is not taken then is kept, and the next run delivers it
FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0  # seconds; doubled in between, by half of it at random
ANSWER_SECONDS = 30.0  # for one try
_AGAIN = frozenset({408, 409, 425, 429})  # and every 5xx; any other refusal is meant
_KEPT = 32  # connections


class WebhookSink:
    """Delivery is at least once: who receives it knows an answer by its `id`."""

    wants_deltas = False

    def __init__(
        self,
        url: str,
        *,
        insecure_http: bool = False,
        time_limit: float | None = TIME_LIMIT,
        chance: Callable[[], float] = random,
    ) -> None:
        parts = urlsplit(url)
        # Whoever knows the path of a webhook may often post to it: it is told nowhere.
        self.name = f"--webhook {parts.scheme}://{parts.hostname}"
        if parts.scheme != "https" and parts.hostname not in LOOPBACK and not insecure_http:
            remedy = "use https, or add --insecure-http if you know that nobody listens"
            raise ConfigError(f"{self.name}: the answers would travel unencrypted; {remedy}")
        self._url = url
        self._secret = os.environ.get(SECRET, "").strip().encode()
        self._time_limit = time_limit
        self._chance = chance
        self._poster: Poster | None = None

    def __repr__(self) -> str:
        return f"<WebhookSink {self.name}>"

    async def open(self) -> None:
        self._poster = Poster(self._url, _KEPT)

    async def delta(self, item: SinkItem, text: str) -> None:
        return None

    async def deliver(self, item: SinkItem) -> None:
        body = orjson.dumps(_told(item))
        try:
            async with asyncio.timeout(self._time_limit):
                await self._post(body)
        except TimeoutError as exc:
            raise SinkFailed(f"{self.name}: not taken within {self._time_limit:g} s") from exc

    async def abort(self, item: SinkItem) -> None:
        return None

    async def close(self) -> None:
        if self._poster is not None:
            await self._poster.close()

    async def _post(self, body: bytes) -> None:
        assert self._poster is not None
        wait = FIRST_WAIT
        for left in reversed(range(TRIES)):
            posted = await self._poster.post(body, self._headers(body), ANSWER_SECONDS)
            if posted.status is not None and 200 <= posted.status < 300:
                return
            if not left or not _may_pass(posted):
                raise SinkFailed(f"{self.name}: {scrubbed(_words(posted), None)}")
            await asyncio.sleep(max(wait * (0.5 + self._chance() / 2), _asked(posted)))
            wait = min(2 * wait, LONGEST_WAIT)

    def _headers(self, body: bytes) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "User-Agent": "batchrun", "Accept-Encoding": "identity"}
        if self._secret:
            headers[SIGNATURE] = signature(self._secret, body, int(time.time()))
        return headers


def signature(secret: bytes, body: bytes, now: int) -> str:
    """`t=SECONDS,v1=HEX`: HMAC-SHA256 over the seconds since 1970, a full stop and the body."""
    digest = hmac.new(secret, b"%d.%b" % (now, body), hashlib.sha256).hexdigest()
    return f"t={now},v1={digest}"


def _told(item: SinkItem) -> dict[str, object]:
    return {
        "schema": "batchrun.webhook/1",
        "id": item.id,
        "attempt": item.attempt,
        "status": item.status,
        "model": item.model,
        "text": item.text,
        "content": item.content,
        "stop_reason": item.stop_reason,
        "usage": item.usage,
        "metadata": item.metadata,
    }


def _may_pass(posted: Posted) -> bool:
    return posted.status is None or posted.status >= 500 or posted.status in _AGAIN


def _asked(posted: Posted) -> float:
    """Seconds that the receiver asks to wait; a date, or more than we wait, is passed over."""
    try:
        return min(LONGEST_WAIT, max(0.0, float(posted.retry_after or 0)))
    except ValueError:
        return 0.0


def _words(posted: Posted) -> str:
    return posted.said if posted.status is None else f"status {posted.status} {posted.said}".strip()
