"""The `:name` placeholders of a query, found without knowing its language beyond what all of SQL shares."""

from __future__ import annotations

import re

_TOKENS = re.compile(
    r"""
      '(?:[^']|'')*'                        # a text
    | "(?:[^"]|"")*"                        # a quoted name
    | `[^`]*`                               # one as MySQL and BigQuery write it
    | --[^\n]*                              # a comment
    | /\*.*?\*/
    | \$(?P<tag>[A-Za-z_]*)\$.*?\$(?P=tag)\$    # a text as PostgreSQL writes it
    | ::                                    # a cast
    | (?<![\w:]):(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    """,
    re.VERBOSE | re.DOTALL,
)


def placeholders(query: str) -> tuple[str, ...]:
    """Their names, each once, in the order of their mention; those in texts, quoted names and comments are none."""
    found = (match["name"] for match in _TOKENS.finditer(query))
    return tuple(dict.fromkeys(name for name in found if name is not None))
