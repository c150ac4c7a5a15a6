"""Patterns that are compiled at first use are patterns in all else, and importing scanners compiles next to none."""

from __future__ import annotations

import os
import pkgutil
import re
import subprocess
import sys
from importlib import import_module
from threading import Thread

import pytest

import promptrails_scanners
from promptrails_scanners.credentials import structures, tokens
from promptrails_scanners.foundation import lazily

MODULES = sorted(one.name for one in pkgutil.walk_packages(promptrails_scanners.__path__, "promptrails_scanners."))


def test_it_answers_as_a_pattern_does() -> None:
    one, other = lazily.pattern(r"(?P<word>a+)b", re.IGNORECASE), re.compile(r"(?P<word>a+)b", re.IGNORECASE)
    text = "xAab ab b"
    assert one.findall(text) == other.findall(text)
    assert [match.span() for match in one.finditer(text)] == [match.span() for match in other.finditer(text)]
    assert one.sub("-", text) == other.sub("-", text)
    assert one.search(text, 3) is not None
    assert one.fullmatch(text) is None
    assert (one.pattern, one.flags, one.groups) == (other.pattern, other.flags, other.groups)


def test_a_pattern_that_is_none_says_so_when_it_is_used() -> None:
    broken = lazily.pattern("(")
    with pytest.raises(re.error):
        broken.search("text")
    with pytest.raises(AttributeError):
        lazily.pattern("a").no_such_thing  # type: ignore[attr-defined]  # noqa: B018


def test_many_threads_may_come_first() -> None:
    one = lazily.pattern("b{2,}[a-c]" * 20)
    found: list[object] = []
    threads = [Thread(target=lambda: found.append(one.search("bba" * 20))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert None not in found


@pytest.mark.parametrize("name", MODULES)
def test_every_pattern_of_the_package_compiles(name: str) -> None:
    module = import_module(name)
    for pattern in vars(module).values():
        if type(pattern) is type(lazily.pattern("")):
            re.compile(pattern.pattern, pattern.flags)


def test_every_pattern_of_the_tables_of_secrets_compiles() -> None:
    table = vars(tokens)["_table"]()
    rules = [*(rule for theirs in table.rules.values() for rule in theirs), *table.inner.values()]
    patterns = [*(rule.pattern for rule in rules), *(form.pattern for form in vars(structures)["_FORMS"])]
    assert len(patterns) > 300
    for pattern in patterns:
        re.compile(pattern.pattern, pattern.flags)


PROGRAM = """
import re, sys
from promptrails_scanners import ban_substrings, ban_topics, bias, harmful, invisible_text, language, malicious_urls
from promptrails_scanners import no_refusal, prompt_injection, secrets, toxicity
used = [ban_substrings, ban_topics, bias, harmful, invisible_text, language, malicious_urls, no_refusal]
for front in [*used, prompt_injection, secrets, toxicity]:
    front.Options  # what is behind it is loaded now
for name, module in sorted(sys.modules.items()):
    if name.startswith("promptrails_scanners"):
        for called, one in vars(module).items():
            if isinstance(one, re.Pattern) or "_made" in getattr(one, "__dict__", ()):
                print(name, called)
"""


def test_importing_scanners_compiles_none_of_their_patterns() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == ""
