"""The two validator libraries, loaded at their first use.

jsonschema says what is wrong and decides where the two differ; jsonschema-rs, where it is installed, says yes or no a
hundred times faster.  Neither is ever allowed to fetch anything.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from promptrails_engine.require import installed, require

_EXTRA = "all"
_BACKTRACKS = 100_000
"""Steps back that a pattern with look-around or back-references may take before it counts as not matching."""


@lru_cache(maxsize=1)
def reference_library() -> Any:
    """The module jsonschema."""
    return require("jsonschema", extra=_EXTRA, feature="checking a JSON Schema")


@lru_cache(maxsize=1)
def fast_library() -> Any | None:
    """The module jsonschema_rs, or None where it is not installed."""
    if not installed("jsonschema_rs"):
        return None
    return require("jsonschema_rs", extra=_EXTRA, feature="checking a JSON Schema fast")


def fast_check(schema: dict[str, Any], draft: str) -> Callable[[Any], bool]:
    """The yes or no of jsonschema-rs, for which that must be installed.

    Raises:
        ValueError: the library cannot read the schema, a pattern in it for example.
    """
    library: Any = fast_library()
    options = library.FancyRegexOptions(backtrack_limit=_BACKTRACKS)
    validator = getattr(library, draft)(schema, validate_formats=False, offline=True, pattern_options=options)
    check: Callable[[Any], bool] = validator.is_valid
    return check
