"""Pydantic's complaints as errors of the tree."""

from __future__ import annotations

import functools
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter
from pydantic import ValidationError as PydanticValidationError

from promptrails_engine.definitions.digest import canonical_json
from promptrails_engine.errors import DefinitionError
from promptrails_engine.schema.instance import locate, measure

C = TypeVar("C", bound=type)


def checked_class(cls: C) -> C:
    """A pydantic dataclass whose constructor raises DefinitionError where pydantic would raise its own error."""
    made: Any = vars(cls)["__init__"]

    @functools.wraps(made)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            made(self, *args, **kwargs)
        except PydanticValidationError as error:
            raise definition_error(error, cls.__name__) from None
        finally:
            # Building the validator, which pydantic puts off until the first call, sets its own constructor again.
            cast("Any", cls).__init__ = init

    cast("Any", cls).__init__ = init
    return cls


def parsed(adapter: TypeAdapter[Any], data: Any, what: str) -> Any:
    """`data` checked by pydantic.

    Raises:
        DefinitionError: it does not fit; lists all complaints.
    """
    try:
        return adapter.validate_python(data)
    except PydanticValidationError as error:
        raise definition_error(error, what) from None


def storable(data: dict[str, Any], what: str) -> dict[str, Any]:
    """The content of a version, if it is JSON data that can be stored and written to a file.

    Raises:
        DefinitionError: it holds something else, is too big, or has text that UTF-8 cannot hold.
    """
    problem = measure(data).problem
    if problem is not None:
        place = locate(data, problem)
        raise DefinitionError(f"{what} is not valid: {place.pointer or 'it'} {place.message}")
    try:
        canonical_json(data).encode()
    except UnicodeEncodeError:
        raise DefinitionError(f"{what} is not valid: it holds half of a surrogate pair, which no file can") from None
    return data


def definition_error(error: PydanticValidationError, what: str) -> DefinitionError:
    complaints = "; ".join(
        f"{'.'.join(str(part) for part in item['loc']) or what}: {item['msg'].removeprefix('Value error, ')}"
        for item in error.errors(include_url=False)
    )
    return DefinitionError(f"{what} is not valid: {complaints}")
