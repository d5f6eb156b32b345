"""The seam to whoever answers: what a provider offers, and the values that cross it.

A provider turns a request into bytes of an answer, and its library's exceptions into `AttemptFailed`. It does not
retry, decode or measure.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from batchrun.providers.quota import Quota

if TYPE_CHECKING:
    from pathlib import Path


# What is sent to these stays on this machine.
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Wire(StrEnum):
    """The form in which a provider takes requests and gives answers."""

    MESSAGES = "messages"  # the Messages API: /v1/messages
    CHAT = "chat"  # OpenAI's chat completions, which many servers speak: /v1/chat/completions


@dataclass(frozen=True, slots=True)
class BackendConfig:
    """A named provider; `kind` is "anthropic" or "openai".

    `base_url` None: that of the provider after which the kind is named, or what the SDK resolves. The key comes from
    `key_file`, else from the environment variable that `key_env` names, else (where `claudes_key` says so) from where
    the SDK looks; else there is none. `simulated`: the embedded provider, which takes any key; a real one is never
    sent to it. `insecure_http`: a key may travel unencrypted, not only on loopback. `headers` and `betas` go with each
    request; `model` is asked where a job names none.
    """

    name: str = "claude"
    kind: str = "anthropic"
    base_url: str | None = None
    key_file: Path | None = None
    simulated: bool = False
    insecure_http: bool = False
    key_env: str | None = None
    model: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # some servers take their key in one of them
    betas: tuple[str, ...] = ()
    claudes_key: bool = False  # else Claude's key would go to whoever forgot to name one

    @property
    def is_claude(self) -> bool:
        return self.name == "claude" and self.kind == "anthropic"


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent: the body as the job has it (without `stream`), and whether a stream is asked for."""

    body: dict[str, Any]
    stream: bool = True


class ConnectionWatch(Protocol):
    """Told of the connection's beginnings, so that the first-byte clock does not run while one is being made."""

    def connecting(self) -> None: ...

    def connected(self) -> None: ...


class Pace(NamedTuple):
    """How a body is read, in seconds: looked at once a `tick`, for its end, and handed on once `longest`. 0: at once,
    as it comes."""

    tick: float
    longest: float


AT_ONCE = Pace(0.0, 0.0)


class Reply(Protocol):
    """An answer with status 200 whose body is still on the wire."""

    @property
    def is_stream(self) -> bool:
        """Whether server-sent events come; else the body is one JSON document (by its content type)."""

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes.

        Raises:
            AttemptFailed: the connection broke.
        """

    def pace(self, pace: Pace) -> None:
        """From now on the chunks come at that pace; between two looks the bytes wait in the kernel."""


# Takes limits, and when the request was sent whose answer told them, by the event loop's clock.
HearsQuotas = Callable[[tuple[Quota, ...], float], None]


class Provider(Protocol):
    """One backend's way of asking."""

    @property
    def wire(self) -> Wire:
        """What its replies are to be read as."""

    @property
    def base_url(self) -> str: ...

    @property
    def credential(self) -> str:
        """The kind of credential, for people; never its value."""

    def listen(self, heard: HearsQuotas) -> None:
        """From now on tell what is left of the provider's limits, where an answer says so."""

    def open(
        self, request: Request, connect_timeout: float, watch: ConnectionWatch
    ) -> AbstractAsyncContextManager[Reply]:
        """Send a request. Leaving the context closes what is open; a cancelled request leaks no connection.

        Raises:
            AttemptFailed: anything but a 200.
        """

    async def warm(self, connect_timeout: float) -> None:
        """Open a connection and leave it to the next request. Raises nothing: who needs one will see the trouble."""

    async def drop(self) -> None:
        """Close every connection, those in use too: each attempt on one of them breaks, the next makes a new one."""

    def scrubbed(self, text: str) -> str:
        """The part of a foreign text that may be kept: short, on one line, without the credential."""

    async def close(self) -> None: ...
