#!/bin/sh
# Compile the pinned, hashed requirement files from pyproject.toml. No index address is written into them.
set -eu
cd "$(dirname "$0")/.."
compile() {
    out=$1
    shift
    uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --no-header --quiet --output-file "$out" "$@"
}
compile requirements/run.txt --extra demo
compile requirements/dev.txt --extra demo --extra spark --extra dev
