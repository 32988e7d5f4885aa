#!/bin/sh
# scripts/release-proof.sh PACKAGE ARCHIVE: installs the npm package and the archive, each in an empty directory with an
# empty home, and runs --version, --help, a staging of a small app and a command of its droplet with each. Nothing of
# this checkout is used.
set -eu
package=$(realpath "$1")
archive=$(realpath "$2")
dir=$(mktemp -d "${TMPDIR:-/tmp}/stager-proof.XXXXXX")
trap 'rm -rf "$dir"' EXIT INT TERM
say() { printf 'proof: %s\n' "$*" >&2; }
fail() { say "$*" && exit 1; }

version=${package##*/stager-}
version=${version%.tgz}
mkdir "$dir/app"
printf 'web: sh hello.sh\n' >"$dir/app/Procfile"
printf 'echo "hello from $PWD"\n' >"$dir/app/hello.sh"

# prove NAME PROGRAM PATH: runs PROGRAM with nothing of the caller's environment but this PATH.
prove() {
  name=$1
  program=$2
  path=$3
  home=$dir/home-$name
  mkdir "$home"
  run() { (cd "$home" && env -i HOME="$home" PATH="$path" TMPDIR="$dir" "$program" "$@"); }
  said=$(run --version) || fail "$name: --version failed"
  [ "$said" = "$version" ] || fail "$name: --version says $said, not $version"
  run --help | grep -q '^Usage: stager' || fail "$name: --help does not say how it is used"
  run stage "$dir/app" --sandbox none --output "$home/droplet.tgz" >"$home/log" 2>&1 || {
    cat "$home/log" >&2
    fail "$name: staging failed"
  }
  tar -tzf "$home/droplet.tgz" | grep -qx './app/hello.sh' || fail "$name: the droplet lacks the app"
  run run --sandbox none -- sh hello.sh >"$home/log" 2>&1 || true
  grep -q 'hello from ' "$home/log" || {
    cat "$home/log" >&2
    fail "$name: the droplet does not run"
  }
  say "$name: --version, --help, stage, run"
}

mkdir "$dir/npm" "$dir/archive"
node=$(dirname "$(command -v node)")
npm_at=$(dirname "$(command -v npm)")
(cd "$dir/npm" && printf '{"private":true}\n' >package.json &&
  npm install --prefer-offline --no-audit --no-fund --loglevel=error "$package" >&2) || fail 'npm: the package does not install'
prove npm "$dir/npm/node_modules/.bin/stager" "$node:$npm_at:/usr/bin:/bin"

# The archive brings its Node, so none is on this PATH.
mkdir "$dir/tools"
ln -sf /usr/bin/* /bin/* "$dir/tools"
rm -f "$dir/tools/node" "$dir/tools/nodejs" "$dir/tools/npm" "$dir/tools/npx"
tar -xzf "$archive" -C "$dir/archive"
prove archive "$dir/archive/stager-$version/bin/stager" "$dir/tools"
