#!/bin/sh
# npm run bench -- [suite…] [--runs N] [--quick]: makes its inputs under .cache/bench, measures, prints a table,
# writes bench/out/<suite>.json. Suites: droplets, levels (see bench/main.ts).
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh pigz=pigz zstd=zstd
PATH="$PWD/node_modules/node/bin:$PWD/node_modules/.bin:$PATH"
export PATH
exec node bench/main.ts "$@"
