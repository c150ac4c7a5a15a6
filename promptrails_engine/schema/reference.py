"""Checks by jsonschema, with the places mended where it could run for ever.

Every keyword that it looks at counts against a budget; patterns go to a bounded engine; `uniqueItems` takes time in
proportion to the list (29 s for 3,000 objects otherwise).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import lru_cache
from time import thread_time
from typing import Any, cast

from promptrails_engine.errors import Violation
from promptrails_engine.schema.kinds import is_array, is_object
from promptrails_engine.schema.libraries import reference_library
from promptrails_engine.schema.messages import violation
from promptrails_engine.schema.patterns import TooLongError, matcher

MAX_STEPS = 100_000
"""Keywords looked at in one check."""
MAX_VIOLATIONS = 100

MAX_SECONDS = 0.5
"""Processor time of one check."""

_TOO_MUCH = "is too big for this schema to be checked completely; make it smaller, or the schema simpler"

Keyword = Callable[[Any, Any, Any, Any], Iterator[Any] | None]


class _SpentError(Exception):
    """The budget of a check ran out."""


class _Budget:
    __slots__ = ("_end", "left")

    def __init__(self) -> None:
        self.left = MAX_STEPS
        self._end = thread_time() + MAX_SECONDS

    def spend(self) -> None:
        self.left -= 1
        # Steps cost more the more forms are tried inside each other, so they alone are no measure.
        if self.left < 0 or (not self.left & 127 and thread_time() > self._end):
            raise _SpentError


_budget: ContextVar[_Budget] = ContextVar("promptrails_schema_budget")


class Reference:
    """The checks of one schema by jsonschema."""

    def __init__(self, schema: dict[str, Any], draft: str) -> None:
        self._validator: Any = _validator_class(draft)(schema, registry=_registry())

    def is_valid(self, instance: Any, branch: dict[str, Any] | None = None) -> bool:
        """Whether the data fit the schema, or the one inside it that is given; False where the budget runs out."""
        validator = self._validator if branch is None else self._validator.evolve(schema=branch)
        token = _budget.set(_Budget())
        try:
            return bool(validator.is_valid(instance))
        except (_SpentError, RecursionError, TooLongError):
            return False
        finally:
            _budget.reset(token)

    def violations(self, instance: Any) -> list[Violation]:
        """Every broken rule, by place; the first hundred where there are more."""
        found: dict[Violation, None] = {}
        token = _budget.set(_Budget())
        try:
            for error in self._validator.iter_errors(instance):
                found[violation(error)] = None
                if len(found) >= MAX_VIOLATIONS:
                    break
        except (_SpentError, RecursionError):
            found[Violation("", _TOO_MUCH)] = None
        except TooLongError:
            found[Violation("", "holds a text that is too long for the pattern that it must match")] = None
        finally:
            _budget.reset(token)
        return sorted(found, key=lambda one: (one.pointer, one.message))


@lru_cache(maxsize=1)
def _registry() -> Any:
    """What resolves references: the schema itself and the drafts; it fetches nothing."""
    return reference_library().validators.SPECIFICATIONS


@lru_cache(maxsize=8)
def _validator_class(draft: str) -> Any:
    library = reference_library()
    base = getattr(library, draft)
    table = cast("dict[str, Keyword]", base.VALIDATORS)
    keywords = {word: _counted(check) for word, check in table.items()}
    keywords["pattern"] = _counted(_pattern)
    keywords["uniqueItems"] = _counted(_unique_items)
    return library.validators.extend(base, keywords)


def _counted(check: Keyword) -> Keyword:
    def keyword(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any] | None:
        _budget.get().spend()
        return check(validator, value, instance, schema)

    return keyword


def _pattern(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
    if validator.is_type(instance, "string") and not matcher(value)(instance):
        yield reference_library().ValidationError("does not match")


def _unique_items(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
    if value and validator.is_type(instance, "array"):
        items = instance
        if len({_frozen(item) for item in items}) != len(items):
            yield reference_library().ValidationError("has an item twice")


def _frozen(value: Any) -> Any:
    """A key that is equal for values that JSON Schema calls equal: 1 and 1.0 are, 1 and true are not."""
    if is_object(value):
        members = value
        return ("object", frozenset((key, _frozen(member)) for key, member in members.items()))
    if is_array(value):
        return ("array", tuple(_frozen(item) for item in value))
    return (isinstance(value, bool), value)
