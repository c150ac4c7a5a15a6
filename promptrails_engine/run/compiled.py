"""What templates and expressions have in common: parsed once, held against the sandbox's rules, run under limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from types import TracebackType
from typing import Any, TypeVar

from jinja2 import TemplateSyntaxError, UndefinedError, nodes
from jinja2.environment import Template
from jinja2.meta import find_undeclared_variables
from jinja2.nodes import EvalContext

from promptrails_engine.errors import TemplateError, TemplateLimitError
from promptrails_engine.run.sandbox import GLOBALS, SandboxContext, sandbox
from promptrails_engine.run.sandbox_filters import FILTERS
from promptrails_engine.run.sandbox_meter import PLAIN, LimitReachedError, Meter, RefusedError, RenderLimits, class_of
from promptrails_engine.run.sandbox_rewrite import RefusedNodeError, can_repeat, refuse_forbidden, rewrite
from promptrails_engine.run.sandbox_tests import TESTS

C = TypeVar("C")

DEFAULT_LIMITS = RenderLimits()
INLINE_LIMITS = RenderLimits(operations=3_000, output_chars=DEFAULT_LIMITS.output_chars, seconds=0.004)
"""What a rendering may use up on the event loop before it is moved to a thread."""
MAX_SOURCE = 1_048_576
"""Characters of a template or an expression."""
_SHOWN = 200


class Compiled:
    """A compiled template or expression; immutable, to be run from any thread."""

    noun = "template"
    """What error messages call its kind."""

    def __init__(self, source: str, name: str, strict: bool, tree: nodes.Template) -> None:
        self._source = source
        self._name = name
        self._repeats = can_repeat(tree)
        environment = sandbox(strict=strict, counting=self._repeats)
        # No name goes in: Jinja writes it into the code that it makes.
        code = environment.compile(rewrite(tree))
        self._template = Template.from_code(environment, code, {})
        self._filename = code.co_filename
        self._environment = environment
        self._evaluation = EvalContext(environment)

    @property
    def source(self) -> str:
        """The text that it was compiled from."""
        return self._source

    @property
    def name(self) -> str:
        """What error messages call it, or ""."""
        return self._name

    @property
    def variables(self) -> frozenset[str]:
        """The names that it reads and does not set itself."""
        return self._found_variables

    @cached_property
    def _found_variables(self) -> frozenset[str]:
        return frozenset(find_undeclared_variables(self._parsed()))

    def members(self, variable: str) -> frozenset[str]:
        """The members of this variable that it reads by a name written in it, as in `steps.a` and `steps['a']`."""
        found: set[str] = set()
        for node in self._parsed().find_all((nodes.Getattr, nodes.Getitem)):
            member: Any = node  # the stubs of find_all know no tuple
            if not isinstance(member.node, nodes.Name) or member.node.name != variable:
                continue
            if isinstance(member, nodes.Getattr):
                found.add(member.attr)
            elif isinstance(member.arg, nodes.Const):
                found.add(str(member.arg.value))
        return frozenset(found)

    def reads_whole(self, variable: str) -> bool:
        """Whether it uses this variable in another way than for members by a name written in it."""
        tree = self._parsed()
        uses = sum(1 for node in tree.find_all(nodes.Name) if node.name == variable and node.ctx == "load")
        for node in tree.find_all((nodes.Getattr, nodes.Getitem)):
            member: Any = node
            if isinstance(member.node, nodes.Name) and member.node.name == variable:
                uses -= isinstance(member, nodes.Getattr) or isinstance(member.arg, nodes.Const)
        return uses > 0

    def _parsed(self) -> nodes.Template:
        # A tree of its own each time: looking for names changes it.
        return self._environment.parse(self._source)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self._name!r}, variables={sorted(self.variables)})"

    def _context(self, values: Mapping[str, Any], limits: RenderLimits) -> SandboxContext:
        """The names of one run, and its meter."""
        for name, value in values.items():
            if class_of(value) not in PLAIN:
                raise self._not_plain(name, value)
        names: dict[str, Any] = {**GLOBALS, **values}
        return SandboxContext(self._environment, self._evaluation, names, Meter(limits))

    # -------------------------------------------------------------- errors

    def _not_plain(self, name: str, value: Any) -> TemplateError:
        kind = class_of(value)
        return TemplateError(
            f"the value of '{name}' for {self._called()} is of type '{kind.__name__}'; {self.noun}s take plain data "
            "only (text, numbers, true and false, None, lists, objects): convert it first"
        )

    def _called(self, line: int = 0) -> str:
        return called(self.noun, self._name, line)

    def _error(self, exc: Exception) -> TemplateError:
        where = self._called(self._line(exc.__traceback__))
        if isinstance(exc, (LimitReachedError, RecursionError, MemoryError)):
            reason = str(exc) if isinstance(exc, LimitReachedError) else "its values or macros are nested too deep"
            return TemplateLimitError(f"{where}, was stopped: {reason}")
        if isinstance(exc, UndefinedError):
            return TemplateError(
                f"{where}: {exc.message}; pass it with the input, or write {{{{ name | default('') }}}}",
            )
        if isinstance(exc, RefusedError):
            return TemplateError(f"{where}: {exc}")
        return TemplateError(f"{where}: {type(exc).__name__}: {str(exc)[:_SHOWN]}")

    def _line(self, traceback: TracebackType | None) -> int:
        """The line of the template where the innermost of its own frames stood."""
        line = 0
        while traceback is not None:
            if traceback.tb_frame.f_code.co_filename == self._filename:
                line = self._template.get_corresponding_lineno(traceback.tb_lineno)
            traceback = traceback.tb_next
        return line


def called(noun: str, name: str, line: int = 0) -> str:
    """What error messages call it, with the line where that is known."""
    named = f"the {noun} '{name}'" if name else f"the {noun}"
    return f"{named}, line {line}" if line else named


def compile_with(make: Callable[[nodes.Template], C], source: str, *, strict: bool, noun: str, name: str) -> C:
    """What `make` makes of the parsed source, once that has been held against the rules of the sandbox.

    Raises:
        TemplateError: it does not parse, is too long, or uses what is not available.
    """
    named = called(noun, name)
    if len(source) > MAX_SOURCE:
        raise TemplateError(f"{named} has {len(source)} characters; at most {MAX_SOURCE} are read")
    environment = sandbox(strict=strict, counting=False)
    try:
        tree = environment.parse(source)
        refuse_forbidden(tree, FILTERS, TESTS)
        return make(tree)
    except TemplateSyntaxError as exc:
        raise TemplateError(f"{called(noun, name, exc.lineno)}: {exc.message}") from exc
    except RefusedNodeError as exc:
        raise TemplateError(f"{called(noun, name, exc.line or 0)}: {exc}") from exc
    except LimitReachedError as exc:
        raise TemplateLimitError(f"{named} is too big: {exc}") from exc
    except (RecursionError, MemoryError) as exc:
        raise TemplateLimitError(f"{named} is nested too deep; take it apart with 'set'") from exc
    except (SyntaxError, ValueError, OverflowError) as exc:
        # From Python's own compiler: twenty loops inside each other, a number with ten thousand digits.
        raise TemplateError(f"{named} cannot be compiled: {str(exc)[:_SHOWN]}") from exc


def inline_limits(limits: RenderLimits) -> RenderLimits:
    """What of these limits may be used up on the event loop."""
    if limits is DEFAULT_LIMITS:
        return INLINE_LIMITS
    return RenderLimits(
        min(limits.operations, INLINE_LIMITS.operations),
        limits.output_chars,
        min(limits.seconds, INLINE_LIMITS.seconds),
    )
