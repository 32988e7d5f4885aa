#!/bin/sh
# npm run quickstart: from a fresh checkout to an app that answers. Stages fixtures/apps/express (Express and its
# real npm dependencies) in a sandbox, starts the droplet, asks it over HTTP, stops it.
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh curl=curl

printf '\n$ bin/stager stage --smoke fixtures/apps/express\n\n'
bin/stager stage --smoke fixtures/apps/express

printf '\n$ bin/stager run --port 8080\n\n'
bin/stager run --port "${PORT:-8080}" &
run=$!
trap 'kill "$run" 2>/dev/null || true' EXIT INT TERM

url="http://localhost:${PORT:-8080}/"
tries=0
until answer=$(curl -fsS "$url" 2>/dev/null); do
  tries=$((tries + 1))
  if [ "$tries" -ge 60 ] || ! kill -0 "$run" 2>/dev/null; then
    echo "quickstart: no answer from $url" >&2
    exit 1
  fi
  sleep 1
done
printf '\n$ curl %s\n%s\n\n' "$url" "$answer"

if [ "${1:-}" = --keep-running ]; then
  echo "The app runs at $url until you press Ctrl-C."
  wait "$run"
else
  kill "$run"
  wait "$run" || true
  trap - EXIT
  echo 'Done. Keep it running with: npm run quickstart -- --keep-running'
fi
