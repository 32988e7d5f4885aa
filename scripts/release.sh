#!/bin/sh
# npm run release [-- --snapshot] [-- --out DIR]: makes what is published, and proves it.
#
#   DIR/stager-<version>.tgz                     the npm package
#   DIR/stager-<version>-linux-<cpu>.tar.gz      the program with Node and all packages; needs nothing else
#   DIR/SHA256SUMS
#
# Builds from a copy of what is checked out, so nothing of an older build gets in. The commit has to be clean and the
# version named in CHANGELOG.md, except with --snapshot. The proof is scripts/release-proof.sh.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
out=$root/release
snapshot=
while [ $# -gt 0 ]; do
  case $1 in
    --snapshot) snapshot=yes ;;
    --out) out=$(mkdir -p "$2" && cd "$2" && pwd) && shift ;;
    *) echo "release: unknown argument $1" >&2 && exit 2 ;;
  esac
  shift
done
say() { printf 'release: %s\n' "$*" >&2; }
fail() { say "$*" && exit 1; }

# Not in a checkout that is set up: dist/ of this one may be in use.
[ -x node_modules/node/bin/node ] || sh scripts/setup.sh
PATH="$root/node_modules/node/bin:$root/node_modules/.bin:$PATH"
export PATH
version=$(node -p 'require("./package.json").version')
if [ -z "$snapshot" ]; then
  [ -z "$(git status --porcelain)" ] || fail 'there are changes that are not committed; commit them, or use --snapshot'
  grep -q "^## $version\$" CHANGELOG.md || fail "CHANGELOG.md has no heading '## $version'; name the release there"
fi

# Below .cache, since hard links need the same file system.
mkdir -p .cache/release
work=$(mktemp -d "$root/.cache/release/build.XXXXXX")
trap 'rm -rf "$work"' EXIT INT TERM
build=$work/stager-$version
mkdir "$build"
cp -R package.json package-lock.json tsconfig.json tsconfig.build.json bin src buildpacks docs examples ./*.md LICENSE "$build"
cp -al node_modules "$build/node_modules"
cd "$build"
rm -rf buildpacks/*/dist
say "building $version"
tsc -p tsconfig.build.json
node "$root/scripts/bundle-programs.ts" "$build"
node buildpacks/kit/build.ts
# Without, the first start of `stager serve` makes it, which takes seconds.
node --disable-warning=ExperimentalWarning dist/service/state/make-first-data.js dist/first-data.tar.gz
chmod 644 dist/first-data.tar.gz

say 'packing the npm package'
mkdir -p "$out"
npm pack --ignore-scripts --silent --pack-destination "$out" >&2

say 'packing the archive'
cpu=$(node -p process.arch)
package=$out/stager-$version.tgz
archive=$out/stager-$version-linux-$cpu.tar.gz
cd "$work"
mkdir bundle
tar -xzf "$package" -C bundle
mv bundle/package "bundle/stager-$version"
cp "$build/package-lock.json" "bundle/stager-$version"
npm ci --prefix "bundle/stager-$version" --omit=dev --prefer-offline --no-audit --no-fund --loglevel=error >&2
# Beside bin/node there is the same file in the package that it came from.
rm -rf "bundle/stager-$version/node_modules/node/node_modules" "bundle/stager-$version/package-lock.json"
# The same commit gives the same bytes, but for the first data of a database, which PostgreSQL numbers: order, owner and
# times are fixed.
when=$(git -C "$root" log -1 --format=%ct 2>/dev/null || echo 0)
tar -C bundle --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$when" --mode=u+w,go-w -cf - "stager-$version" |
  gzip -n >"$archive.new"
mv "$archive.new" "$archive"

cd "$out"
sha256sum "${package##*/}" "${archive##*/}" >SHA256SUMS
cd "$root"
sh scripts/release-proof.sh "$package" "$archive"
say 'made and proved:'
ls -l "$package" "$archive" "$out/SHA256SUMS" >&2
