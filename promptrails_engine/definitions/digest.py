"""Content digests: the same content has the same digest, whoever wrote it, in whatever order of keys."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

# Made once: `json.dumps` with any option makes an encoder at each call, which costs more than a short text.
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
_COMPACT = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical_json(data: Any) -> str:
    """JSON with sorted keys and no spaces (the core of RFC 8785; numbers are written as Python writes them)."""
    return _CANONICAL.encode(data)


def compact_json(data: Any) -> str:
    """JSON without spaces, keys in their own order."""
    return _COMPACT.encode(data)


def content_digest(data: Mapping[str, Any]) -> str:
    """SHA-256 over the canonical JSON, in hexadecimal; keys that hold None, {}, [] or "" do not count."""
    content = {key: value for key, value in data.items() if value not in (None, "") and value != {} and value != []}
    return hashlib.sha256(canonical_json(content).encode("utf-8", "surrogatepass")).hexdigest()
