"""Patterns that users write: those that could hang a scanner are refused when it is built."""

from __future__ import annotations

import pytest

from promptrails_engine.errors import ConfigurationError
from promptrails_scanners.foundation.patterns import compiled


@pytest.mark.parametrize(
    "pattern",
    [
        r"secret project \w+",
        r"a{1,5}(?:b{1,5}){1,5}",
        r"(?:ab)+c",
        r"[a-z]+@[a-z]+",
        r"(?i)foo|bar",
        r"\w+\s+\w+",
        r"[^,]+,[^,]+,[^,]+",
        r"\d+\.\d+",
        r".*,\w{1,9}",
        r"key-\w+=\S{1,64}",
        r"a+b+|a+",
        r"\d+[^\d]+x",
        r"(?:foo|bar){1,3}baz",
        r"(?:foo|bar|\s){1,30}baz",
        r"ignore (?:\w+ ){0,5}rules",
        r"(?:\w{1,20}, ){2,40}and",
        r"(?:[^;]{1,40};){1,9}",
        r"(?:\d{3}-){2}\d{4}",
        r"\w{1,20} \w{1,20} \w{1,20} \w{1,20}",
        r"a++b|(?>a+)c",
    ],
)
def test_patterns_are_compiled(pattern: str) -> None:
    assert compiled(pattern, "any", "patterns").pattern == pattern


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        (r"(?:a+)+b", "bound the inner repeat"),
        (r"(?:a*b*)*c", "empty|bound"),
        (r"(?:(?:ab)*x{2,}){3,}y", "bound the inner repeat"),
        (r"(?:a|aa)+b", "choice"),
        (r"(?:a|aa){1,60}b", "choice"),
        (r"(?:a{1,60}){1,60}b", "too many ways"),
        (r"(?:x?){9}(?:(?:a?){8}){8}b", "too many ways"),
        (r"a{0,64}a{0,64}a{0,64}b", "share characters"),
        (r"\w+\S{1,64}!", "share characters"),
        (r"\d+\w+x", "share characters"),
        (r"a+a+a+b", "share characters"),
        (r"a+[b-z]?(?:\w)+!", "share characters"),
        (r".+@.+\..+", "share characters"),
        (r".*,\w+,.*", "share characters"),
        (r"[A-F]+[a-f]+x", "share characters"),
        (r"(?:x+|y)x+z", "share characters"),
        (r"[^,]{5,100}\s{0,3}[^;]+!", "share characters"),
        (r"\u0416+.+x", "share characters"),
        (r"x*", "empty"),
        (r"|a", "empty"),
        (r"(", "syntax"),
        (r"a{99999999999}", "syntax"),
    ],
)
def test_patterns_that_could_hang_are_refused(pattern: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        compiled(pattern, "any", "patterns")
    assert "'patterns'" in str(caught.value)
    assert "(" not in pattern or pattern not in str(caught.value)
