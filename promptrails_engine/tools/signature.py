"""A function's parameters as a JSON Schema and as a validator of arguments."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from types import SimpleNamespace
from typing import Annotated, Any, NotRequired, TypeGuard, cast, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import ErrorDetails, to_jsonable_python
from typing_extensions import TypedDict

from promptrails_engine.errors import DefinitionError, ToolArgsInvalidError, Violation
from promptrails_engine.ports.tool import ToolContext

_EMPTY = inspect.Parameter.empty
_REFUSED_KINDS = {
    inspect.Parameter.VAR_POSITIONAL: "a model cannot fill *args: take a list instead",
    inspect.Parameter.VAR_KEYWORD: "a model cannot fill **kwargs: name each parameter, or take a dict",
    inspect.Parameter.POSITIONAL_ONLY: "arguments are passed by name: remove the '/'",
}
_CONFIG = ConfigDict(extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)
# Messages of pydantic that would repeat a piece of the value, or that speak of classes to a model.
_MESSAGES = {
    "extra_forbidden": "unknown argument",
    "missing": "missing",
    "union_tag_invalid": "the tag is none of those expected",
    "uuid_parsing": "not a valid UUID",
}
_MOST_VIOLATIONS = 20
_LONGEST_POINTER = 200


@dataclass(frozen=True, slots=True)
class Signature:
    """`parameters`: the JSON Schema; `context`: names of the parameters that take the ToolContext."""

    parameters: dict[str, Any]
    context: tuple[str, ...]
    adapter: TypeAdapter[dict[str, Any]]

    def validate(self, arguments: Mapping[str, Any], tool_name: str) -> dict[str, Any]:
        """A new dict of the values that the function takes; a missing optional one stays missing.

        Raises:
            ToolArgsInvalidError: a value does not fit, is missing or is not known; no value is in its text.
        """
        try:
            return self.adapter.validate_python(arguments)
        except ValidationError as error:
            raise _args_error(error, arguments, tool_name) from None


def read_signature(function: Callable[..., Any], docs: Mapping[str, str]) -> Signature:
    """The signature of a function whose parameters all have type hints.

    Raises:
        DefinitionError: a parameter has no type hint, cannot be passed by name, or has a type without a JSON form.
    """
    label = _label(function)
    hints = _hints(function, label)
    bound = _bound_names(function)
    fields: dict[str, Any] = {}
    defaults: dict[str, Any] = {}
    context: list[str] = []
    for name, parameter in _parameters(function, label).items():
        if name in bound:  # given by functools.partial: not for the model to see
            continue
        if parameter.kind in _REFUSED_KINDS:
            raise DefinitionError(f"Parameter '{name}' of {label}: {_REFUSED_KINDS[parameter.kind]}.")
        if name not in hints:
            raise DefinitionError(_no_hint(name, label))
        if _takes_context(hints[name]):
            context.append(name)
            continue
        fields[name] = _field(hints[name], parameter.default)
        if parameter.default is not _EMPTY and not isinstance(parameter.default, FieldInfo):
            defaults[name] = parameter.default
    adapter, schema = _compile(fields, label)
    _describe(schema, docs, defaults)
    return Signature(schema, tuple(context), adapter)


def described(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function that has the name and the docstring: what a `functools.partial` is made of."""
    target: Any = function
    while _is_partial(target):
        target = target.func
    return cast("Callable[..., Any]", target)


def _is_partial(function: object) -> TypeGuard[functools.partial[Any]]:
    return isinstance(function, functools.partial)


# ------------------------------------------------------------------ reading


def _bound_names(function: Callable[..., Any]) -> frozenset[str]:
    """The keyword arguments that `functools.partial` has already given."""
    names: set[str] = set()
    target: Any = function
    while _is_partial(target):
        names.update(target.keywords)
        target = target.func
    return frozenset(names)


def _label(function: Callable[..., Any]) -> str:
    target = _unwrapped(function)
    return f"tool function '{getattr(target, '__qualname__', type(target).__qualname__)}'"


def _unwrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    innermost: Callable[..., Any] = inspect.unwrap(described(function))
    return innermost


def _parameters(function: Callable[..., Any], label: str) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(function).parameters
    except (ValueError, TypeError):
        raise DefinitionError(f"The signature of {label} cannot be read: wrap it in a function of your own.") from None


def _hints(function: Callable[..., Any], label: str) -> dict[str, Any]:
    target = _unwrapped(function)
    if not inspect.isroutine(target):
        target = inspect.unwrap(type(target).__call__)
    try:
        annotations = {name: hint for name, hint in inspect.get_annotations(target).items() if name != "return"}
        namespace = getattr(target, "__globals__", {})
        return get_type_hints(SimpleNamespace(__annotations__=annotations), namespace, include_extras=True)
    except Exception as error:  # evaluating an annotation runs whatever it says
        raise DefinitionError(
            f"The type hints of {label} cannot be read ({type(error).__name__}: {error}). "
            "Names in them must exist at module level at run time, not only under TYPE_CHECKING."
        ) from error


def _no_hint(name: str, label: str) -> str:
    if name in {"self", "cls"}:
        return f"Parameter '{name}' of {label}: make the tool from the bound method, as_tool(instance.method)."
    return f"Parameter '{name}' of {label} has no type hint, so the model cannot be told what it is."


def _takes_context(hint: Any) -> bool:
    if get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    return hint is ToolContext or ToolContext in get_args(hint)


def _field(hint: Any, default: Any) -> Any:
    if isinstance(default, FieldInfo):
        return cast(Any, Annotated)[hint, default]
    return hint if default is _EMPTY else cast(Any, NotRequired)[hint]


# ------------------------------------------------------------------ compiling


class _Schema(GenerateJsonSchema):
    """Without the titles that pydantic makes of field names: they cost tokens and say nothing."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _compile(fields: dict[str, Any], label: str) -> tuple[TypeAdapter[dict[str, Any]], dict[str, Any]]:
    try:
        return _adapter(fields)
    except (PydanticUserError, TypeError, ValueError) as error:
        for name, hint in fields.items():
            try:
                _adapter({name: hint})
            except (PydanticUserError, TypeError, ValueError) as cause:
                raise DefinitionError(_unsupported(f"Parameter '{name}' of {label}", cause)) from cause
        raise DefinitionError(_unsupported(label, error)) from error


def _unsupported(what: str, error: Exception) -> str:
    reason = str(error).split("\n", 1)[0]
    return f"{what} has a type that cannot be described to a model: {reason}"


def _adapter(fields: dict[str, Any]) -> tuple[TypeAdapter[dict[str, Any]], dict[str, Any]]:
    arguments = cast(Any, TypedDict)("Arguments", fields)
    arguments.__pydantic_config__ = _CONFIG
    adapter: TypeAdapter[dict[str, Any]] = TypeAdapter(arguments)
    schema = adapter.json_schema(schema_generator=_Schema)
    schema.pop("title", None)
    return adapter, {"type": "object", "properties": schema.pop("properties", {}), **schema}


def _describe(schema: dict[str, Any], docs: Mapping[str, str], defaults: Mapping[str, Any]) -> None:
    """Adds what the docstring says, and the function's own defaults where they have a JSON form."""
    for name, text in docs.items():
        if name in schema["properties"]:
            schema["properties"][name].setdefault("description", text)
    for name, default in defaults.items():
        try:
            schema["properties"][name]["default"] = to_jsonable_python(default, inf_nan_mode="null")
        except Exception:  # a default that has no JSON form is simply not shown
            continue


# ------------------------------------------------------------------ refusing


def _args_error(error: ValidationError, arguments: Mapping[str, Any], tool_name: str) -> ToolArgsInvalidError:
    found = error.errors(include_url=False, include_input=False, include_context=False)
    violations = [
        Violation(_pointer(entry, arguments), _MESSAGES.get(entry["type"], entry["msg"]))
        for entry in found[:_MOST_VIOLATIONS]
    ]
    lines = [f"{violation.pointer or '(root)'}: {violation.message}" for violation in violations]
    if len(found) > _MOST_VIOLATIONS:
        lines.append(f"and {len(found) - _MOST_VIOLATIONS} more")
    return ToolArgsInvalidError(
        f"Tool '{tool_name}' was called with arguments that do not fit its schema: {'; '.join(lines)}",
        details={"violations": [asdict(violation) for violation in violations]},
    )


def _pointer(entry: ErrorDetails, data: Any) -> str:
    """RFC 6901.  Follows the data, because pydantic also puts names of union branches into the location."""
    parts: list[str] = []
    for part in entry["loc"]:
        if _is_object(data) and (part in data or (entry["type"] == "missing" and part == entry["loc"][-1])):
            data = data.get(part)
        elif _is_array(data) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            continue
        parts.append(str(part).replace("~", "~0").replace("/", "~1"))
    pointer = "".join(f"/{part}" for part in parts)
    return pointer if len(pointer) <= _LONGEST_POINTER else pointer[:_LONGEST_POINTER] + "..."


def _is_object(data: Any) -> TypeGuard[dict[Any, Any]]:
    return isinstance(data, dict)


def _is_array(data: Any) -> TypeGuard[list[Any]]:
    return isinstance(data, list)
