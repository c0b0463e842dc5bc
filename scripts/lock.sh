#!/usr/bin/env bash
# Rewrites requirements/*.txt from pyproject.toml: every version pinned, every file hashed, no host named.
set -eu
cd "$(dirname "$0")/.."
compile() {
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
        --no-annotate --no-header "${@:2}" pyproject.toml -o "requirements/$1.txt"
}
compile serve --extra voices --group build
compile test --extra voices --extra bench --group dev
