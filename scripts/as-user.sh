#!/bin/sh
# The sandbox once more as an ordinary user, whom this makes: doctor, both fixtures staged and run, and tests that need
# no root: of the sandbox, the machine and the command line. Needs root itself; .ci/run runs it after everything else.
set -eu
cd "$(dirname "$0")/.."
name=stager-tests
home=/var/lib/$name
if [ "$(id -u)" != 0 ]; then
  echo 'as-user: not run, only root can make another user' >&2
  exit 0
fi
id "$name" >/dev/null 2>&1 || useradd --create-home --home-dir "$home" --shell /bin/sh "$name"
checkout=$PWD
copy=
# Whom this machine trusts and how it gets out; no value of these has a space.
around=$(env | grep -E '^(NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|SSL_CERT_DIR|(https?|no)_proxy|(HTTPS?|NO)_PROXY)=[^ ]*$' || true)
# setpriv becomes the program, so that a signal to it reaches the program.
# shellcheck disable=SC2086
as_user() { setpriv --reuid "$name" --regid "$name" --init-groups -- env -i $around PATH="$checkout/node_modules/node/bin:/usr/local/bin:/usr/bin:/bin" HOME="$home" "$@"; }
# shellcheck disable=SC2086
exec_as_user() { exec setpriv --reuid "$name" --regid "$name" --init-groups -- env -i $around PATH="$checkout/node_modules/node/bin:/usr/local/bin:/usr/bin:/bin" HOME="$home" "$@"; }
if ! as_user test -r "$checkout/bin/stager"; then
  echo "as-user: $name cannot read $checkout, so a copy of it is used" >&2
  copy=$(mktemp -d "$home/checkout.XXXXXX")
  cp -a "$checkout/." "$copy"
  chown -R "$name" "$copy"
  checkout=$copy
fi
run=
finish() {
  [ -z "$run" ] || kill "$run" 2>/dev/null || true
  rm -rf "$home/.local/share/stager" "$home/.cache"
  [ -z "$copy" ] || rm -rf "$copy"
}
trap finish EXIT
cd "$home"

as_user "$checkout/bin/stager" doctor
for app in static-site express; do
  as_user "$checkout/bin/stager" stage "$checkout/fixtures/apps/$app"
  port=$(as_user node -e 'const s = require("net").createServer().listen(0, () => { console.log(s.address().port); s.close(); })')
  exec_as_user "$checkout/bin/stager" run --port "$port" &
  run=$!
  until answer=$(curl -fsS "http://localhost:$port/" 2>/dev/null); do
    kill -0 "$run" || exit 1
    sleep 0.3
  done
  echo "as-user: $app answers: $answer" | head -1
  kill "$run"
  wait "$run" || true
  run=
done

cd "$checkout"
as_user node_modules/.bin/vitest run --project unit --configLoader native \
  test/machine test/doors/cli test/staging/workspace test/staging/package test/staging/build-cache
as_user node_modules/.bin/vitest run --project sandbox --configLoader native \
  test/machine/sandbox/process.sandbox.test.ts test/machine/sandbox/escapes.sandbox.test.ts
