#!/bin/sh
# Installs schemathesis, a pinned version, into .cache/ and prints the path of its program. Safe to run again.
set -eu
printf '%s/bin/schemathesis\n' "$(sh "$(dirname "$0")/venv.sh" schemathesis 4.32.5)"
