"""A scanner's module is a front: it says what the scanner is, and loads how it works at the first use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from typing import Any

import pytest

from promptrails_scanners.foundation.options import option_names
from tests.scanners.fourteen import CONFIGS, FOUND, NAMES

LISTED = """
import json, sys
from promptrails_engine import Engine
with Engine() as engine:
    known = [one.type for one in engine.guardrails.list_scanners() if one.enabled]
    loaded = [name for name in sys.modules if name.startswith("promptrails_scanners.")]
print(json.dumps([known, loaded]))
"""
AT_ONCE = """
import json, sys
from importlib import import_module
from threading import Barrier, Thread
found = {}
for name, (text, options) in json.load(sys.stdin).items():
    barrier, said = Barrier(8), []
    def look(front):
        barrier.wait()
        said.append((front.build(options).scan(text), front.scan(text, **options), front.Options.__name__))
    threads = [Thread(target=look, args=(import_module(f"promptrails_scanners.{name}"),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    same = all(verdict == alone == said[0][0] for verdict, alone, _ in said)
    found[name] = [len(said), same, said[0][0].triggered]
print(json.dumps(found))
"""


def ran(program: str, given: object = None) -> Any:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_listing_scanners_loads_how_none_of_them_works() -> None:
    known, loaded = ran(LISTED)
    assert sorted(known) == NAMES
    fronts = {f"promptrails_scanners.{name}" for name in NAMES}
    shared = {f"promptrails_scanners.foundation{name}" for name in ("", ".front", ".lazily")}
    assert set(loaded) == fronts | shared


def test_eight_threads_may_use_a_scanner_first_at_once() -> None:
    found = ran(AT_ONCE, {name: (FOUND[name][0], CONFIGS[name]) for name in NAMES})
    assert found == {name: [8, True, True] for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_a_front_names_what_is_behind_it(name: str) -> None:
    front = import_module(f"promptrails_scanners.{name}")
    assert option_names(front.Options) == front.META.config_fields
    assert dir(front) == sorted(front.__all__)
    assert all(hasattr(front, one) for one in front.__all__)
    assert front.build(CONFIGS[name]).meta is front.META
    for unknown in ("Optoins", "_THRESHOLD"):
        with pytest.raises(AttributeError, match=rf"^module '{front.__name__}' has no attribute '{unknown}'$"):
            getattr(front, unknown)
