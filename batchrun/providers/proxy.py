"""Which proxy the environment names for a base URL. Nothing is connected here."""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx2

from batchrun.errors import ConfigError
from batchrun.providers.provider import LOOPBACK


def proxy_for(base_url: str) -> httpx2.Proxy | None:
    """The proxy that the environment (`HTTPS_PROXY`, `NO_PROXY`, ...) names for this URL; none can reach our loopback.

    Raises:
        ConfigError: what it names is no HTTP proxy.
    """
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    proxies = getproxies()
    named = proxies.get(parts.scheme) or proxies.get("all")
    if not named or host in LOOPBACK or proxy_bypass(host):
        return None
    scheme = urlsplit(named).scheme if "://" in named else "http"
    if scheme not in ("http", "https"):
        remedy = f"set {parts.scheme.upper()}_PROXY to an HTTP proxy, or NO_PROXY={host} to use none"
        raise ConfigError(f"the environment names a proxy of kind {scheme} for {host}, which is not spoken; {remedy}")
    return httpx2.Proxy(named if "://" in named else f"http://{named}")
