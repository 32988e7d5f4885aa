#!/bin/sh
# build.sh ARCHIVE OUT: makes an OCI image of stager without a daemon and without a base image from a registry. ARCHIVE is
# the self-contained archive of a release (npm run release); OUT a directory, an OCI layout, which skopeo copy sends on.
# Needs Debian's mmdebstrap and umoci. Run as root, or as a user with subordinate ids.
set -eu
archive=$1
out=$2
suite=${SUITE:-bookworm}
mirror=${MIRROR:-http://deb.debian.org/debian}
for tool in mmdebstrap umoci; do
  command -v "$tool" >/dev/null 2>&1 || { echo "build.sh: $tool is needed (apt-get install $tool)" >&2; exit 1; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What scripts of buildpacks find on the stack "host", and what the sandbox needs.
mmdebstrap --variant=minbase --mode=auto \
  --include=ca-certificates,curl,crun,git,unzip,xz-utils,util-linux,uidmap,e2fsprogs,slirp4netns,nftables,procps,build-essential,python3,libatomic1 \
  "$suite" "$work/root.tar" "$mirror"

umoci init --layout "$out"
umoci new --image "$out:latest"
umoci unpack --rootless --image "$out:latest" "$work/bundle"
tar -xpf "$work/root.tar" -C "$work/bundle/rootfs" --exclude='./dev/*'
mkdir -p "$work/bundle/rootfs/opt/stager" "$work/bundle/rootfs/var/lib/stager"
tar -xf "$archive" -C "$work/bundle/rootfs/opt/stager" --strip-components=1
ln -sf /opt/stager/bin/stager "$work/bundle/rootfs/usr/bin/stager"
umoci repack --image "$out:latest" "$work/bundle"
umoci config --image "$out:latest" \
  --config.entrypoint /usr/bin/stager --config.workingdir /var/lib/stager \
  --config.env HOME=/var/lib/stager --config.exposedports 8484/tcp
echo "$out:latest"
