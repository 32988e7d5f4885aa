#!/bin/sh
# Installs schemathesis, a pinned version, into .cache/ and prints the path of its program. Safe to run again.
set -eu
cd "$(dirname "$0")/.."
version=4.32.5
dir="$PWD/.cache/schemathesis/$version"
if [ ! -x "$dir/bin/schemathesis" ]; then
  command -v python3 >/dev/null 2>&1 || { echo 'schemathesis: Python 3 is needed' >&2; exit 1; }
  mkdir -p "$PWD/.cache/schemathesis"
  rm -rf "$dir"
  python3 -m venv "$dir" >&2
  "$dir/bin/python" -m pip install --quiet --disable-pip-version-check "schemathesis==$version" >&2
fi
printf '%s\n' "$dir/bin/schemathesis"
