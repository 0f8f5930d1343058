#!/bin/sh
# install.sh PYTHON FOLDER REQUIREMENTS: a virtual environment with exactly the pinned, hashed packages, and this project.
set -eu
python=$1 folder=$2 requirements=$3
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "make: Python 3.11 or newer is needed; say which one with: make PYTHON=python3.12 …" >&2
    exit 1
}
echo "Setting up $folder (once) …"
[ -x "$folder/bin/python" ] || "$python" -m venv "$folder"
[ -x "$folder/bin/uv" ] || "$folder/bin/python" -m pip install --quiet --disable-pip-version-check uv
# Compiled once here: where Python may not write (PYTHONDONTWRITEBYTECODE, a read-only folder) each command would compile
# all that it imports again, which takes longer than most commands.
"$folder/bin/uv" pip install --quiet --python "$folder/bin/python" --compile-bytecode \
    --require-hashes --requirement "$requirements"
# The build backend is among the pinned packages, so the project itself is built without fetching anything.
"$folder/bin/uv" pip install --quiet --python "$folder/bin/python" --no-deps --no-build-isolation --editable .
"$folder/bin/python" -m compileall -q src
