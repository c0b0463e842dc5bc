#!/usr/bin/env bash
# Rewrites requirements/*.txt from pyproject.toml: every version pinned, every file hashed, no host named.
set -eu
cd "$(dirname "$0")/.."
compile() {
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
        --no-annotate --no-header "${@:2}" -o "requirements/$1.txt"
}
compile test --extra voices --extra bench --extra fish --extra asr --extra otel --group dev pyproject.toml
# the others take their versions from it: .venv may be given one lock after another, and each stays true
compile serve --extra voices --extra otel --group build --constraints requirements/test.txt pyproject.toml
compile fish --extra voices --extra otel --extra fish --group build --constraints requirements/test.txt pyproject.toml
compile reference --no-deps --group reference
