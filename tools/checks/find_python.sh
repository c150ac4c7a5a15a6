#!/bin/sh
# Prints the path of the oldest or the newest CPython (3.11 to 3.14) of this machine that can make a virtual environment.
# Looks on PATH and among pyenv's versions, also those that pyenv does not put on PATH. Prints nothing if there is none.
# Usage: find_python.sh oldest|newest
usable() {
    "$1" - "$2" 2>/dev/null <<'PY'
import sys, sysconfig
import ensurepip, sqlite3, ssl, venv  # what a Python built without its libraries lacks
right = sys.version_info[:2] == (3, int(sys.argv[1])) and sys.version_info.releaselevel == "final"
plain = sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED")
if not (right and plain):
    sys.exit(1)
print(sys.executable)
PY
}

case "$1" in
    oldest) minors="11 12 13 14" ;;
    newest) minors="14 13 12 11" ;;
    *) echo "usage: find_python.sh oldest|newest" >&2; exit 2 ;;
esac

pyenv="${PYENV_ROOT:-$HOME/.pyenv}/versions"
for minor in $minors; do
    homes=$(ls -d "$pyenv/3.$minor".* 2>/dev/null | sort -rV)
    for candidate in $(printf '%s/bin/python\n' $homes) "python3.$minor" python3 python; do
        usable "$candidate" "$minor" && exit 0
    done
done
exit 0
