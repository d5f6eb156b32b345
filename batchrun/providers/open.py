"""Which provider a backend's kind means. The SDK is imported here and only if it is needed: a night on a local server
alone does without it.
"""

from __future__ import annotations

from batchrun.providers.provider import BackendConfig, Provider


def open_provider(backend: BackendConfig, max_slots: int) -> Provider:
    """A provider, ready to be asked.

    Raises:
        CredentialsError, ConfigError: no credentials, or an address that must not be used.
    """
    if backend.kind == "openai":
        from batchrun.providers.openai_chat import OpenAIChatProvider  # noqa: PLC0415

        return OpenAIChatProvider(backend, max_slots)
    from batchrun.providers.anthropic import AnthropicProvider  # noqa: PLC0415 - it imports the SDK

    return AnthropicProvider(backend, max_slots)
