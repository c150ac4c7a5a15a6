"""Processes that are forked from a loaded interpreter behave as those of a new one."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from tests.warm.python import warm_packages, warm_python


def test_it_is_a_process_with_streams_arguments_and_surroundings_of_its_own(tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "print(os.getcwd(), sys.argv, sorted(os.environ), os.getpid(), sys.stdin.readline().strip())\n"
        "print(sys.modules['__main__'].__dict__ is globals(), __name__, file=sys.stderr)\n"
    )
    with warm_python().start(code, 1, "b c", cwd=tmp_path, env={"NAME": "x"}) as child:
        out, err = child.communicate("given\n", timeout=60)
    assert (child.returncode, out) == (0, f"{tmp_path} ['-c', '1', 'b c'] ['NAME'] {child.pid} given\n")
    assert err == "True __main__\n"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("", 0),
        ("import sys; sys.exit(3)", 3),
        ("import sys; sys.exit()", 0),
        ("import sys; sys.exit('words')", 1),
        ("raise KeyError('lost')", 1),
        ("import os; os._exit(7)", 7),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    ],
)
def test_its_end_is_told(code: str, status: int) -> None:
    done = warm_python().run(code)
    assert done.returncode == status
    assert ("KeyError: 'lost'" in done.stderr) is ("KeyError" in code)


def test_it_ends_as_an_interpreter_does() -> None:
    thread = "import threading, time\nthreading.Thread(target=lambda: (time.sleep(0.05), print('between'))).start()\n"
    done = warm_python().run(f"import atexit\natexit.register(print, 'last')\n{thread}print('first')")
    assert done.stdout.split() == ["first", "between", "last"]
    assert warm_python().run("import sys; print('x' * 100_000); sys.exit('words')").stderr == "words\n"


def test_code_of_a_user_finds_packages_loaded_and_the_project_not(tmp_path: Path) -> None:
    file = tmp_path / "code.py"
    file.write_text(
        "import sys\n"
        "ours = [name for name in sys.modules if name.startswith(('promptrails', 'tests'))]\n"
        "print(__file__, __name__, sys.argv, sys.path[0], ours, 'pydantic' in sys.modules)\n"
        "import promptrails_engine\n"
    )
    done = warm_packages().run_file(file, "a", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{file} __main__ ['{file}', 'a'] {tmp_path} [] True\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_it_hears_signals(number: int) -> None:
    code = "import time; print('here', flush=True)\nwhile True: time.sleep(1)"
    with warm_python().start(code) as child:
        assert child.stdout.readline() == "here\n"
        assert child.poll() is None
        child.send_signal(number)
        _, err = child.communicate(timeout=60)
    assert child.returncode == -number
    assert ("KeyboardInterrupt" in err) is (number == signal.SIGINT)


def test_many_at_once_do_not_hold_each_others_pipes() -> None:
    children = [warm_python().start("import sys; print(len(sys.stdin.read()))") for _ in range(5)]
    ended = [child.communicate("x" * (100_000 + place), timeout=60)[0] for place, child in enumerate(children)]
    assert ended == [f"{100_000 + place}\n" for place in range(5)]
    assert [child.returncode for child in children] == [0] * 5


def test_it_is_the_same_python_and_may_not_leave_the_machine() -> None:
    code = "import sys, socket; print(sys.version)\nsocket.getaddrinfo('model.example', 443)"
    done = warm_python().run(code)
    assert done.stdout == f"{sys.version}\n"
    assert "tests may talk to this machine only" in done.stderr
