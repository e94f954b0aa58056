#!/bin/bash
# Builds the images with buildah: no container runtime and no registry is needed, only Debian's packages, Maven and Python's.
#   docker/images.sh                    all four
#   docker/images.sh consumers flink    these
# The base is bootstrapped once by mmdebstrap and kept as nearline-base; the machine's own certificate authorities
# (/usr/local/share/ca-certificates) go into it. `buildah rmi --all` removes everything again.
set -euo pipefail
cd "$(dirname "$0")/.."

for tool in buildah mmdebstrap; do
  command -v $tool > /dev/null || { echo "images need buildah and mmdebstrap: apt-get install buildah mmdebstrap" >&2; exit 2; }
done
[[ $(id -u) == 0 ]] || { echo "images are built as root" >&2; exit 2; }
# chroot in the place of namespaces works inside a container as well
export BUILDAH_ISOLATION=${BUILDAH_ISOLATION:-chroot}
BASE=localhost/nearline-base

base() {
  local tar container
  tar=$(mktemp --suffix .tar)
  mmdebstrap --quiet --variant=minbase --include=ca-certificates \
    --customize-hook='cp -r /usr/local/share/ca-certificates "$1/usr/local/share/"' \
    --customize-hook='chroot "$1" update-ca-certificates' bookworm "$tar"
  container=$(buildah from scratch)
  buildah add --quiet "$container" "$tar" / > /dev/null
  buildah config --cmd bash --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
  buildah commit --quiet --rm "$container" "$BASE" > /dev/null
  rm "$tar"
}

buildah inspect --type image $BASE > /dev/null 2>&1 || { echo "bootstrapping $BASE"; base; }
[[ $# -gt 0 ]] || set -- consumers flink models spark
for image in "$@"; do
  echo "building nearline-$image"
  buildah bud --quiet --pull-never --build-arg BASE=$BASE ${TORCH_BACKEND:+--build-arg TORCH_BACKEND=$TORCH_BACKEND} \
    -f "docker/$image.Dockerfile" -t "localhost/nearline-$image" . > /dev/null
done
# the image that a name stood for before
buildah rmi --prune > /dev/null
