"""Content digests: the same content has the same digest, whoever wrote it, in whatever order of keys."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def canonical_json(data: Any) -> str:
    """JSON with sorted keys and no spaces (the core of RFC 8785; numbers are written as Python writes them)."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def compact_json(data: Any) -> str:
    """JSON without spaces, keys in their own order."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def content_digest(data: Mapping[str, Any]) -> str:
    """SHA-256 over the canonical JSON, in hexadecimal; keys that hold None, {}, [] or "" do not count."""
    content = {key: value for key, value in data.items() if value not in (None, "") and value != {} and value != []}
    return hashlib.sha256(canonical_json(content).encode("utf-8", "surrogatepass")).hexdigest()
