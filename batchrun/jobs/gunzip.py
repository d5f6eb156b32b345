"""Unpacks gzip block by block, in memory that does not depend on what comes out. Pure: bytes in, bytes out."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

MAGIC = b"\x1f\x8b"
_MAX_BLOCK = 1 << 20  # a block of zeros unpacks to a thousand times its size
_GZIP = 31  # zlib's way of asking for the gzip format, its checksum included


class BadGzip(Exception):
    """Not whole, or not gzip; the text says which."""


def gunzip(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The unpacked bytes of one or more gzip members, padded with NULs or not.

    Raises:
        BadGzip: after what could be unpacked.
    """
    member = zlib.decompressobj(_GZIP)
    is_begun = False
    for packed in blocks:
        while packed:
            if member.eof:
                packed = packed.lstrip(b"\0")  # noqa: PLW2901 - what is left of it, here and below
                if not packed:
                    break
                member = zlib.decompressobj(_GZIP)
            is_begun = True
            try:
                yield member.decompress(packed, _MAX_BLOCK)
            except zlib.error as exc:
                raise BadGzip(f"the gzip data are damaged ({exc})") from exc
            packed = member.unused_data if member.eof else member.unconsumed_tail  # noqa: PLW2901
    if is_begun and not member.eof:
        raise BadGzip("the gzip data end in the middle")
