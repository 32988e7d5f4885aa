#!/bin/sh
# venv.sh PACKAGE VERSION: installs a program or library of PyPI into .cache/ for the tests, and prints the directory of
# its virtual environment. Safe to run again; does nothing when it is there. In a copy of the checkout it is made anew,
# since its programs name the Python of the place where it was made.
set -eu
cd "$(dirname "$0")/.."
dir="$PWD/.cache/$1/$2"
if [ "$(cat "$dir/.complete" 2>/dev/null)" != "$dir" ]; then
  command -v python3 >/dev/null 2>&1 || { echo "$1: Python 3 is needed" >&2; exit 1; }
  mkdir -p "$PWD/.cache/$1"
  rm -rf "$dir"
  python3 -m venv "$dir" >&2
  "$dir/bin/python" -m pip install --quiet --disable-pip-version-check "$1==$2" >&2
  printf '%s\n' "$dir" >"$dir/.complete"
fi
printf '%s\n' "$dir"
