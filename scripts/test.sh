#!/bin/sh
# npm test: sets the machine up, then runs every suite.
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh crun=crun debootstrap=debootstrap git=git zip=zip unzip=unzip xz=xz-utils zstd=zstd curl=curl \
  '/usr/lib/postgresql/*/bin/initdb=postgresql'
# Images: a registry on loopback, and readers that nobody here wrote.
sh scripts/setup.sh docker-registry=docker-registry skopeo=skopeo umoci=umoci \
  || echo 'test: NO REGISTRY, the tests of images that need one will not run' >&2
# The S3 tests talk to a real server. Building it takes a minute once; without Go those tests say that they can't run.
sh scripts/s3-server.sh >/dev/null || echo 'test: NO S3 SERVER, the s3 tests will not run' >&2
# Clients of the endpoint in Python. Debian keeps what makes an environment for them in a package of its own.
python3 -c 'import ensurepip' 2>/dev/null || sh scripts/setup.sh '/usr/lib/python3*/ensurepip=python3-venv' \
  || echo 'test: NO PYTHON, the tests with clients in Python will not run' >&2
# The pages are looked at in a real browser.
sh scripts/setup.sh chromium=chromium || echo 'test: NO CHROMIUM, the test of the pages will not run' >&2
# Metrics and alert rules are read by a real Prometheus.
sh scripts/setup.sh prometheus=prometheus promtool=prometheus \
  || echo 'test: NO PROMETHEUS, the test that is scraped by one will not run' >&2
PATH="$PWD/node_modules/node/bin:$PWD/node_modules/.bin:$PATH"
export PATH
exec node_modules/.bin/vitest run "$@"
