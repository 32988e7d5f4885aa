#!/bin/sh
# npm test: sets the machine up, then runs every suite.
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh crun=crun debootstrap=debootstrap git=git zip=zip unzip=unzip xz=xz-utils zstd=zstd curl=curl
PATH="$PWD/node_modules/node/bin:$PWD/node_modules/.bin:$PATH"
export PATH
exec node_modules/.bin/vitest run "$@"
