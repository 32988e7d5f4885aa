#!/bin/sh
# npm run bench -- [suite…] [--runs N] [--quick]: makes its inputs under .cache/bench, measures, prints a table,
# writes bench/out/<suite>.json. Suites: droplets, node-app, levels (bench/main.ts), packages, s3, serve,
# languages, restage, images (skopeo and docker-registry have to be there); none: droplets, packages and s3.
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh pigz=pigz zstd=zstd s3cmd=s3cmd
PATH="$PWD/node_modules/node/bin:$PWD/node_modules/.bin:$PATH"
export PATH
case ${1:-} in
  packages | s3)
    suite=$1
    shift
    sh scripts/s3-server.sh >/dev/null
    exec node "bench/$suite.ts" "$@"
    ;;
  languages)
    shift
    exec node --disable-warning=ExperimentalWarning bench/languages.ts "$@"
    ;;
  images)
    shift
    exec node --disable-warning=ExperimentalWarning bench/images.ts "$@"
    ;;
  restage)
    shift
    exec node --disable-warning=ExperimentalWarning bench/restage.ts "$@"
    ;;
  serve)
    shift
    exec node --disable-warning=ExperimentalWarning bench/serve.ts "$@"
    ;;
  '')
    sh scripts/s3-server.sh >/dev/null
    node bench/main.ts
    node bench/packages.ts
    exec node bench/s3.ts
    ;;
esac
exec node bench/main.ts "$@"
