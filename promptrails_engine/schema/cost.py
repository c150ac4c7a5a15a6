"""How many schemas a check may have to look at, worked out before it starts.

A tower of `anyOf` doubles the work at each storey, and so does a recursive union with each level of the data.  The
number below is an upper bound: W(s, d) = 1 + sum of W(t, d) over the schemas t that s applies to the same value
+ W(c, d - 1) summed over the schemas c that s may apply to one member or item.  Times the number of values in the data
it bounds the whole check.
"""

from __future__ import annotations

from threading import Lock

from promptrails_engine.schema.graph import Node, Path

CEILING = 10**9
"""Where counting stops; it is far beyond anything that is run."""

_ONE_MEMBER = ("properties", "additionalProperties")
_ONE_ITEM = ("prefixItems", "items", "additionalItems")


class Cost:
    """Answers for one schema, kept per depth of the data."""

    def __init__(self, found: dict[Path, Node], order: list[Path]) -> None:
        self._found = found
        self._order = order
        self._levels: list[dict[Path, int]] = []
        self._lock = Lock()

    def bound(self, depth: int) -> int:
        """An upper bound of the schemas looked at along one branch of data of this depth."""
        if depth >= len(self._levels):
            with self._lock:
                while len(self._levels) <= depth:
                    self._levels.append(self._next())
        return self._levels[depth][()]

    def _next(self) -> dict[Path, int]:
        below = self._levels[-1] if self._levels else {}
        level: dict[Path, int] = {}
        for path in self._order:
            node = self._found[path]
            total = 1 + sum(level[target] for target in node.same) + self._child(node, below)
            level[path] = min(total, CEILING)
        return level

    @staticmethod
    def _child(node: Node, below: dict[Path, int]) -> int:
        def dearest(keywords: tuple[str, ...]) -> int:
            paths = (path for keyword in keywords for path in node.children.get(keyword, ()))
            return max((below.get(path, 0) for path in paths), default=0)

        def all_of(*keywords: str) -> int:
            return sum(below.get(path, 0) for keyword in keywords for path in node.children.get(keyword, ()))

        member = dearest(_ONE_MEMBER) + all_of("patternProperties", "unevaluatedProperties", "propertyNames")
        item = dearest(_ONE_ITEM) + all_of("contains", "unevaluatedItems")
        return max(member, item)
