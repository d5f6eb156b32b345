"""A plain POST over the transport that the providers share, for those who hand answers on. Decides nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

import httpx2

from batchrun.providers.proxy import proxy_for
from batchrun.providers.transport import PacedTransport, client_over

KEPT_ERROR = 2048  # bytes of what a refusal says


class Posted(NamedTuple):
    """What became of it: `status` None where nobody answered; `said` is why, or what the answer to a refusal holds."""

    status: int | None
    said: str
    retry_after: str | None = None


class Poster:
    """Posts to one URL; connections are kept. Redirects are not followed."""

    def __init__(self, url: str, keepalive: int) -> None:
        transport = PacedTransport(keepalive)
        transport.use_proxy(proxy_for(url))
        self._url = url
        self._client = client_over(transport)

    def __repr__(self) -> str:
        return "<Poster>"  # a URL may hold a secret in its path

    async def post(self, content: bytes, headers: Mapping[str, str], seconds: float) -> Posted:
        """Post, and wait so long for an answer."""
        try:
            async with (
                asyncio.timeout(seconds),
                self._client.stream("POST", self._url, content=content, headers=dict(headers)) as response,
            ):
                said = b""
                async for piece in response.aiter_bytes():
                    said = (said + piece)[:KEPT_ERROR]
                return Posted(response.status_code, said.decode(errors="replace"), response.headers.get("retry-after"))
        except TimeoutError:
            return Posted(None, f"no answer within {seconds:g} s")
        except httpx2.HTTPError as exc:
            return Posted(None, str(exc) or type(exc).__name__)

    async def close(self) -> None:
        await self._client.aclose()
