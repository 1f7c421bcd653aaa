#!/bin/sh
# Makes wasm/libdeflate.wasm: libdeflate's inflate, as it is released, for WebAssembly. Needs cargo (for the sources),
# Python 3 with venv (for zig, a C compiler) and npm (for binaryen's wasm-opt); all from their registries, into a folder
# that is deleted. The same versions give the same bytes: the checksum at the end must be that of wasm/README.md.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

# The crate carries libdeflate's C sources unchanged.
mkdir -p source/src && touch source/src/lib.rs
printf '[package]\nname = "source"\nversion = "0.0.0"\n[dependencies]\nlibdeflate-sys = "=1.25.0"\n' >source/Cargo.toml
(cd source && cargo vendor --quiet)
c=source/vendor/libdeflate-sys/libdeflate

# Its word is size_t, 32 bits here; a bit buffer of 64 bits is faster, and WebAssembly has the instructions.
sed -i 's/^typedef size_t machine_word_t;/typedef unsigned long long machine_word_t;/' "$c/common_defs.h"
grep -q '^typedef unsigned long long machine_word_t;' "$c/common_defs.h"

python3 -m venv zig && zig/bin/pip install --quiet ziglang==0.17.1
zig/bin/python -m ziglang cc -target wasm32-wasi -mexec-model=reactor -O3 -DNDEBUG -I"$c" "$c/lib/deflate_decompress.c" "$c/lib/utils.c" \
  -Wl,--export=libdeflate_alloc_decompressor -Wl,--export=libdeflate_deflate_decompress_ex -Wl,--export=malloc -Wl,--strip-all -o plain.wasm

npm install --silent --no-save --ignore-scripts binaryen@132.0.0 >/dev/null
node_modules/.bin/wasm-opt -O4 --enable-bulk-memory --enable-sign-ext --enable-nontrapping-float-to-int --enable-mutable-globals plain.wasm -o "$root/wasm/libdeflate.wasm"
sha256sum "$root/wasm/libdeflate.wasm"
