"""A file name that is safe whatever the id, and that no two ids share on any file system. Pure.

Ids of lower-case ASCII letters, digits, `-`, `_` and `.` keep their name. Any other is percent-encoded, cut if it is
long, and gets `~` and a hash of the id: on a file system that ignores case `A` and `a` are one name, and what was cut
may be what told two of them apart. `~` stands in no name that was left as it is.
"""

from __future__ import annotations

import hashlib
import re

# File systems allow 255 bytes; the rest is for endings and for the prefix of a draft.
MAX_LENGTH = 160
_SAFE = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
# Devices under Windows and on its shares, whatever follows a dot.
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{digit}" for port in ("com", "lpt") for digit in range(10))}
)
_HASH_DIGITS = 16  # 64 bits: a million ids with one long beginning have no two alike
_CUT_ESCAPE = re.compile("%.?$")


def file_name(id: str) -> str:
    """The name for an id, without an ending: ASCII, no separator, never hidden, never like an option."""
    data = id.encode("utf-8", "surrogatepass")
    name = "".join(chr(byte) if byte in _SAFE else f"%{byte:02X}" for byte in data)
    if name.startswith((".", "-")) or name.partition(".")[0].lower() in _DEVICES:
        name = f"%{data[0]:02X}{name[1:]}"
    if name and name == id.lower() == id and len(name) <= MAX_LENGTH:
        return name
    digest = hashlib.sha256(data).hexdigest()[:_HASH_DIGITS]
    head = name[: MAX_LENGTH - len(digest) - 1]
    if len(head) < len(name):
        head = _CUT_ESCAPE.sub("", head)
    return f"{head}~{digest}"
