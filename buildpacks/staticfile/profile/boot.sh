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
# Staging asks for this: would nginx start?
if [ "${1:-}" = --check ]; then
  code=0
  "$DEPS_DIR/@IDX@/nginx/sbin/nginx" -t -q -p "$app/nginx" -c "$app/nginx/conf/nginx.conf" 2>&1 || code=$?
  rm -rf "$tmp" "$app/nginx/conf/nginx.conf"
  exit $code
fi

# A pipe that cat empties: opening /dev/stdout fails where it is a socket or somebody else's pipe.
# Held open on descriptor 9, so that neither end waits for the other.
mkfifo "$tmp/access.log"
exec 9<>"$tmp/access.log"
cat <"$tmp/access.log" 9>&- &
logger=$!

# nginx answers SIGQUIT by finishing what it began, SIGTERM by dropping it. Set first: it listens at once.
server=
stopping=
trap 'stopping=1; [ -z "$server" ] || kill -QUIT $server 2>/dev/null || true' TERM INT QUIT
"$DEPS_DIR/@IDX@/nginx/sbin/nginx" -p "$app/nginx" -c "$app/nginx/conf/nginx.conf" 9>&- &
server=$!
[ -z "$stopping" ] || kill -QUIT $server
# A signal ends a wait early. bash keeps how a process ended, also where that was between two waits.
wait $server || true
while kill -0 $server 2>/dev/null; do wait $server || true; done
code=0
wait $server || code=$?
exec 9>&-
wait $logger || true
rm -rf "$tmp"
exit $code
