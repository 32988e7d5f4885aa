#!/usr/bin/env bash
# Starts nginx for the staged site. Made by the staticfile buildpack.
set -euo pipefail

app=$HOME
tmp=$(mktemp -d "${TMPDIR:-/tmp}/nginx.XXXXXX")
switches=(-e 's/^@NO_ENABLE_HTTP2@//' -e '/^@ENABLE_HTTP2@/d')
[ -z "${ENABLE_HTTP2:-}" ] || switches=(-e '/^@NO_ENABLE_HTTP2@/d' -e 's/^@ENABLE_HTTP2@//')
if [ -z "${FORCE_HTTPS:-}" ]; then
  switches+=(-e '/^@FORCE_HTTPS@/d')
else
  switches+=(-e 's/^@FORCE_HTTPS@//')
fi
sed "${switches[@]}" -e "s#@APP@#$app#g" -e "s#@TMP@#$tmp#g" -e "s#@PORT@#${PORT:-8080}#g" \
  "$app/nginx/conf/nginx.conf.in" >"$app/nginx/conf/nginx.conf"

export LD_LIBRARY_PATH="$DEPS_DIR/@IDX@/nginx/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
# Staging asks for this: would nginx start? It opens /dev/stdout, which has to be a pipe.
if [ "${1:-}" = --check ]; then
  code=0
  "$DEPS_DIR/@IDX@/nginx/sbin/nginx" -t -q -p "$app/nginx" -c "$app/nginx/conf/nginx.conf" 2>&1 | cat || code=$?
  rm -rf "$tmp" "$app/nginx/conf/nginx.conf"
  exit $code
fi

# shellcheck disable=SC2329 # serve calls it
site() { exec "$DEPS_DIR/@IDX@/nginx/sbin/nginx" -p "$app/nginx" -c "$app/nginx/conf/nginx.conf"; }
# shellcheck source=/dev/null
. "$DEPS_DIR/@IDX@/serve.sh"
code=0
serve site || code=$?
rm -rf "$tmp"
exit $code
