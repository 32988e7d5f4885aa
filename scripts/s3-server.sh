#!/bin/sh
# Installs the S3 server that the tests and benchmarks talk to: versitygw, a pinned version, into .cache/.
# Prints its path. Safe to run again and from several processes; does nothing when it is there.
set -eu
cd "$(dirname "$0")/.."
version=v1.8.0
bin="$PWD/.cache/s3-server/$version"
if [ ! -x "$bin/versitygw" ]; then
  command -v go >/dev/null 2>&1 || { echo "s3-server: Go is needed to build versitygw $version" >&2; exit 1; }
  mkdir -p "$PWD/.cache/s3-server"
  # Built aside and renamed: a build that is stopped half-way leaves nothing that looks finished.
  aside=$(mktemp -d "$PWD/.cache/s3-server/build.XXXXXX")
  trap 'rm -rf "$aside"' EXIT
  GOBIN="$aside" GOFLAGS=-mod=mod go install "github.com/versity/versitygw/cmd/versitygw@$version" >&2
  mkdir -p "$bin"
  mv "$aside/versitygw" "$bin/versitygw"
fi
printf '%s\n' "$bin/versitygw"
