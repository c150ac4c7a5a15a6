"""What kind of JSON a value is, in a form that type checkers follow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeGuard


def is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def is_array(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


class_of: Callable[[Any], Any] = type
"""The class of a value, without the narrowing that type checkers do on `type(value)`."""
