"""A reply over HTTP, and what a connection can die of. Shared by all providers that speak HTTP; none of them is known
here, nor what the bytes mean."""

from __future__ import annotations

import errno
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx2

from batchrun.failure import AttemptFailed, Cause, Failure
from batchrun.masking import scrubbed
from batchrun.providers.provider import HearsQuotas, Pace
from batchrun.providers.quota import Quota, quotas_in
from batchrun.providers.transport import body_of

# What a connection can die of. The transport's own errors come through as they are.
WIRE_ERRORS = (httpx2.HTTPError,)
_UNREACHED = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError)


class HttpReply:
    """A 200 whose body is still on the wire."""

    def __init__(self, response: httpx2.Response, secret: str | None) -> None:
        self._response = response
        self._secret = secret
        self._body = body_of(response)

    def __repr__(self) -> str:
        return f"<HttpReply {request_id_of(self._response)}>"

    @property
    def is_stream(self) -> bool:
        return self._content_type.startswith("text/event-stream")

    @property
    def _content_type(self) -> str:
        return str(self._response.headers.get("content-type", "")).lower()

    def require_known_type(self) -> None:
        """A gateway's page or a captive portal's also comes with status 200.

        Raises:
            AttemptFailed: it is neither a stream nor JSON.
        """
        if not self.is_stream and "json" not in self._content_type:
            kind = self._content_type[:100] or "no content type"
            message = scrubbed(f"status 200 with {kind}: some gateway's page, not an answer", self._secret)
            raise AttemptFailed(Failure(Cause.SERVER_ERROR, message, status=200))

    async def chunks(self) -> AsyncIterator[bytes]:
        try:
            if self._body is None or self._response.headers.get("content-encoding", "identity") != "identity":
                async for chunk in self._response.aiter_bytes():
                    yield chunk
                return
            while chunk := await self._body.read():
                yield chunk
                del chunk  # not held while the next one is waited for
        except WIRE_ERRORS as exc:
            raise AttemptFailed(broken(exc, self._secret, request_id_of(self._response))) from exc

    def pace(self, pace: Pace) -> None:
        if self._body is not None:
            self._body.pace(pace)

    async def close(self) -> None:
        await self._response.aclose()


@asynccontextmanager
async def replying(response: httpx2.Response, secret: str | None) -> AsyncIterator[HttpReply]:
    """The reply in a response, closed at the end of the block. Raises AttemptFailed where it is of no known type."""
    reply = HttpReply(response, secret)
    try:
        reply.require_known_type()
        yield reply
    finally:
        await reply.close()


def request_id_of(response: httpx2.Response) -> str | None:
    """The provider's own name for the request, for those who ask its support."""
    told = response.headers.get("request-id") or response.headers.get("x-request-id")
    return str(told) if told is not None else None


def broken(exc: Exception, secret: str | None, request_id: str | None) -> Failure:
    """A connection was lost after the head of an answer."""
    message = scrubbed(f"the connection broke in mid-answer ({exc})", secret)
    return Failure(Cause.BROKEN, message, request_id=request_id)


def unanswered(exc: Exception, secret: str | None) -> Failure:
    """No head of an answer came; `exc` may stand at the end of a chain of which the kernel's error is the beginning."""
    chain = _links(exc)
    if any(isinstance(link, OSError) and link.errno in (errno.EMFILE, errno.ENFILE) for link in chain):
        return Failure(Cause.LOCAL, "too many open files")
    told = next((link for link in chain if isinstance(link, WIRE_ERRORS)), exc)
    message = scrubbed(str(told) or type(told).__name__, secret)
    if any(isinstance(link, ssl.SSLCertVerificationError) for link in chain):
        return Failure(Cause.TLS, message)
    if any(isinstance(link, _UNREACHED) for link in chain):
        return Failure(Cause.CONNECT, message)
    return Failure(Cause.BROKEN, message, is_unanswered=True)


def _links(exc: BaseException) -> list[BaseException]:
    """The exception and what led to it, outermost first; where several addresses were tried, what each led to."""
    chain: list[BaseException] = []
    ahead: list[BaseException | None] = [exc]
    while ahead:
        link = ahead.pop(0)
        if link is None or link in chain:
            continue
        chain.append(link)
        ahead.append(link.__cause__ or link.__context__)
        ahead.extend(link.exceptions if isinstance(link, BaseExceptionGroup) else ())
    return chain


def nobody(quotas: tuple[Quota, ...], sent_at: float) -> None:
    """Who listens where nobody has asked to."""


def hand_on_quotas(headers: Mapping[str, str], sent_at: float, heard: HearsQuotas) -> None:
    """Tell what the headers of an answer say of the provider's limits, if they say anything."""
    if quotas := quotas_in(headers, datetime.now(UTC)):
        heard(quotas, sent_at)
