"""What a function's docstring says of the function and of its parameters."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field

from docstring_parser import ParseError, parse


@dataclass(frozen=True, slots=True)
class FunctionDocs:
    """`description` is the text before the first section; `parameters` holds one text per documented name."""

    description: str = ""
    parameters: dict[str, str] = field(default_factory=dict[str, str])


def read_docs(docstring: str | None) -> FunctionDocs:
    """The docstring's parts; Google, reST, numpy and epydoc styles are known.

    A docstring in no known style is all description.
    """
    if not docstring or not docstring.strip():
        return FunctionDocs()
    try:
        parsed = parse(docstring)
    except ParseError:
        return FunctionDocs(inspect.cleandoc(docstring))
    texts = [text for text in (parsed.short_description, parsed.long_description) if text]
    parameters = {
        param.arg_name.lstrip("*"): " ".join(param.description.split())
        for param in parsed.params
        if param.description and param.args[0] != "attribute"
    }
    return FunctionDocs("\n\n".join(texts), parameters)
