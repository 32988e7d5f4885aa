#!/bin/sh
# Brings a fresh machine to where stager runs: npm packages (Node 24 among them), an OCI runtime, dist/.
# Safe to run again; does nothing that is done already.
set -eu
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*" >&2; }
# Where Debian keeps runc and debootstrap; an ordinary user's PATH leaves them out.
PATH="$PATH:/usr/sbin:/sbin"

if [ ! -x node_modules/node/bin/node ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  say 'installing npm packages'
  npm ci --no-audit --no-fund --loglevel=error
fi

# apt-get needs root; elsewhere say what is missing instead of failing half-way.
apt_install() {
  if [ "$(id -u)" = 0 ]; then
    sudo=''
  elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    sudo='sudo'
  else
    say "missing: $*. Install them with your package manager."
    return 1
  fi
  say "installing $*"
  $sudo apt-get update -qq >/dev/null
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

command -v runc >/dev/null 2>&1 || command -v crun >/dev/null 2>&1 || apt_install runc

# A network of its own for scripts; without them they share the machine's, and one line says so.
{ command -v slirp4netns && { command -v nft || [ -x /usr/sbin/nft ]; }; } >/dev/null 2>&1 ||
  apt_install slirp4netns nftables || say 'scripts will share the network of this machine'

for tool in "$@"; do
  name=${tool%%=*}
  package=${tool#*=}
  case $name in
    # A path with wildcards, for what is on no PATH: Debian keeps PostgreSQL's server with its version.
    /*) ls $name >/dev/null 2>&1 || apt_install "$package" ;;
    *) command -v "$name" >/dev/null 2>&1 || apt_install "$package" ;;
  esac
done

PATH="$PWD/node_modules/node/bin:$PATH"
export PATH
if [ ! -f dist/.built ] || [ -n "$(find src tsconfig.json tsconfig.build.json package-lock.json -newer dist/.built -print -quit)" ]; then
  say 'building dist/'
  # Files that an older tree left would be packed and loaded as well.
  if [ -d dist ]; then find dist -mindepth 1 -maxdepth 1 ! -name kit ! -name buildpacks \
    ! -name first-data.tar.gz -exec rm -rf {} +; fi
  node_modules/.bin/tsc -p tsconfig.build.json
  node scripts/bundle-programs.ts
  touch dist/.built
fi
# The first start of `stager serve` would have to make it otherwise.
if [ ! -f dist/first-data.tar.gz ] || [ -n "$(find src/service/state package-lock.json -newer dist/first-data.tar.gz -print -quit)" ]; then
  say 'making the first data of the embedded database'
  node --disable-warning=ExperimentalWarning dist/service/state/make-first-data.js dist/first-data.tar.gz
fi
node buildpacks/kit/build.ts
