#!/bin/sh
# install.sh PYTHON FOLDER REQUIREMENTS: a virtual environment with exactly the pinned, hashed packages, this project, and
# pip and uv, which install them. What else is in it goes. It may be run again after it was interrupted.
set -eu
python=$1 folder=$2 requirements=$3
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "make: Python 3.11 or newer is needed; say which one with: make PYTHON=python3.12 …" >&2
    exit 1
}
echo "Setting up $folder (once) …"
# Without pip in it what was begun was not finished: it is begun again.
if ! "$folder/bin/python" -m pip --version >/dev/null 2>&1; then
    can_make() { "$python" -c 'import ensurepip, venv' 2>/dev/null; }
    if ! can_make && ! command -v uv >/dev/null 2>&1 && ! "$python" -m virtualenv --version >/dev/null 2>&1 &&
        [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        # Debian's Python comes without; what this can't install is told below.
        DEBIAN_FRONTEND=noninteractive
        export DEBIAN_FRONTEND
        { apt-get update -qq && apt-get install -y -qq python3-venv; } >/dev/null 2>&1 || true
    fi
    if can_make; then
        "$python" -m venv --clear "$folder"
    elif command -v uv >/dev/null 2>&1; then
        uv venv --quiet --clear --seed --python "$python" "$folder"
        # In an environment that says uv made it, uv would take out pip and itself, which are not pinned.
        if grep -q '^uv = ' "$folder/pyvenv.cfg" 2>/dev/null; then
            grep -v '^uv = ' "$folder/pyvenv.cfg" >"$folder/pyvenv.new"
            mv "$folder/pyvenv.new" "$folder/pyvenv.cfg"
        fi
    elif "$python" -m virtualenv --version >/dev/null 2>&1; then
        "$python" -m virtualenv --quiet --clear "$folder"
    else
        echo "make: this Python can't make virtual environments; install them (Debian, Ubuntu: apt install python3-venv)" \
            "or uv, and try again" >&2
        exit 1
    fi
fi
"$folder/bin/python" -m uv --version >/dev/null 2>&1 ||
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check uv
# Compiled once here: where Python may not write (PYTHONDONTWRITEBYTECODE, a read-only folder) each command would compile
# all that it imports again, which takes longer than most commands.
"$folder/bin/python" -m uv pip sync --quiet --python "$folder/bin/python" --compile-bytecode \
    --require-hashes "$requirements"
# The build backend is among the pinned packages, so the project itself is built without fetching anything.
"$folder/bin/python" -m uv pip install --quiet --python "$folder/bin/python" --no-deps --no-build-isolation --editable .
"$folder/bin/python" -m compileall -q src
