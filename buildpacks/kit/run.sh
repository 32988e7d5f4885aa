#!/bin/sh
# run.sh STEP ARGS…: runs dist/main.cjs of this buildpack, or main.mjs, on the first Node found. Made by kit/build.ts.
#   1. packaged with the buildpack   2. stager's own, mounted read-only   3. on PATH, new enough
#   4. one that an earlier staging downloaded   5. the npm registry, checksum held against dist/node-runtime
set -eu

BUILDPACK_DIR=${BUILDPACK_DIR:-$(cd "${0%/*}/.." && pwd -P)}
export BUILDPACK_DIR
step=$1
cache=${3:-/tmp}

die() {
  echo "       **ERROR** $1" >&2
  exit 1
}

# 22.21 is the first 22 that takes its proxy from the environment.
new_enough() {
  "$1" --version 2>/dev/null | awk -F'[v.]' '{ exit !($2 > 24 || ($2 == 24 && $3 >= 5) || ($2 == 22 && $3 >= 21)) }'
}

# stdout of curl and wget alike; both read the usual proxy variables.
get() {
  if command -v curl >/dev/null 2>&1; then
    curl -fsSL --retry 3 "$1" -o "$2"
  elif command -v wget >/dev/null 2>&1; then
    wget -q "$1" -O "$2"
  else
    die 'no Node 22.21 or newer, and neither curl nor wget to download one. Use a stack with one of them.'
  fi
}

download() {
  case $(uname -m) in
    x86_64) arch=x64 ;;
    aarch64) arch=arm64 ;;
    *) die "no Node runtime for $(uname -m)" ;;
  esac
  read -r package version sha512 <<EOF
$(grep "^node-linux-$arch " "$BUILDPACK_DIR/dist/node-runtime")
EOF
  dir=$cache/node-runtime/$package-$version
  if [ ! -x "$dir/bin/node" ]; then
    base=${STAGER_NPM_REGISTRY:-${NPM_CONFIG_REGISTRY:-${npm_config_registry:-$(sed -n 's/^registry //p' "$BUILDPACK_DIR/dist/node-runtime")}}}
    echo "       Downloading Node $version for the buildpack itself" >&2
    mkdir -p "$dir.new"
    get "${base%/}/$package/-/$package-$version.tgz" "$dir.new/package.tgz"
    echo "$sha512  $dir.new/package.tgz" | sha512sum -c - >/dev/null 2>&1 ||
      die "Node $version has the wrong checksum; check the mirror or proxy in between"
    tar -xzf "$dir.new/package.tgz" -C "$dir.new" --strip-components=1 package/bin/node
    rm -f "$dir.new/package.tgz"
    rm -rf "$dir"
    mv "$dir.new" "$dir"
  fi
  node=$dir/bin/node
}

find_node() {
  for node in "$BUILDPACK_DIR/vendor/node/bin/node" "${STAGER_NODE:-/etc/stager/node}"; do
    if [ -x "$node" ] && { [ "$node" = /etc/stager/node ] || new_enough "$node"; }; then return; fi
  done
  node=$(command -v node || true)
  if [ -n "$node" ] && new_enough "$node"; then return; fi
  download
}

main=$BUILDPACK_DIR/dist/main.cjs
[ -f "$main" ] || main=$BUILDPACK_DIR/dist/main.mjs
[ -f "$main" ] ||
  die "this buildpack is a source tree that was not built. In stager's checkout, run: npm run setup"
find_node
# Node has its own variable for a further CA; tools are told with theirs.
if [ -z "${NODE_EXTRA_CA_CERTS:-}" ] && [ -n "${SSL_CERT_FILE:-${CURL_CA_BUNDLE:-}}" ]; then
  NODE_EXTRA_CA_CERTS=${SSL_CERT_FILE:-$CURL_CA_BUNDLE}
  export NODE_EXTRA_CA_CERTS
fi
exec "$node" --use-env-proxy --use-system-ca --disable-warning=ExperimentalWarning "$main" "$@"
