#!/bin/sh
# Gets photographs with open licences and cuts them for the benches: see README.md. Needs Debian's apt-get and dpkg; no root.
#   recipes/photographs/get.sh [FOLDER, default .cache/photographs]
set -eu
recipe=$(cd "$(dirname "$0")" && pwd)
target=${1:-$recipe/../../.cache/photographs}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq lomiri-wallpapers-16.04 lomiri-wallpapers-20.04 mate-backgrounds plasma-workspace-wallpapers
for package in *.deb; do dpkg -x "$package" unpacked; done
cd - >/dev/null
mkdir -p "$target"
# Who made what, and under which licence.
for name in "$folder"/unpacked/usr/share/doc/*; do cp "$name/copyright" "$target/$(basename "$name").copyright"; done
node "$recipe/cut.ts" "$folder/unpacked/usr/share" "$target"
