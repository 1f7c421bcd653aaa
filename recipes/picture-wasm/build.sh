#!/bin/sh
# Makes wasm/picture.wasm: libjpeg-turbo as it is released, and the resize of this folder, for WebAssembly. Needs cargo (for the
# sources), Python 3 with venv (for zig, a C compiler) and npm (for binaryen's wasm-opt); all from their registries, into a folder
# that is deleted. The same versions give the same bytes: the checksum at the end must be that of wasm/README.md.
set -eu
recipe=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

# The crate carries libjpeg-turbo's C sources unchanged.
mkdir -p source/src && touch source/src/lib.rs
printf '[package]\nname = "source"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\nturbojpeg-sys = "=1.2.0"\n' >source/Cargo.toml
(cd source && cargo vendor --quiet >/dev/null)
c=source/vendor/turbojpeg-sys/libjpeg-turbo

# What its CMake would write.
mkdir configured
cat >configured/jconfig.h <<'END'
#define JPEG_LIB_VERSION 62
#define LIBJPEG_TURBO_VERSION 3.1.0
#define LIBJPEG_TURBO_VERSION_NUMBER 3001000
#define MEM_SRCDST_SUPPORTED 1
#define WITH_SIMD 1
#ifndef BITS_IN_JSAMPLE
#define BITS_IN_JSAMPLE 8
#endif
END
cat >configured/jconfigint.h <<'END'
#define BUILD ""
#define HIDDEN
#define INLINE inline __attribute__((always_inline))
#define THREAD_LOCAL
#define PACKAGE_NAME "libjpeg-turbo"
#define VERSION "3.1.0"
#define SIZEOF_SIZE_T 8
#define FALLTHROUGH __attribute__((fallthrough));
END
sed 's/@[A-Z_]*@/ /' "$c/src/jversion.h.in" >configured/jversion.h
# Its word is size_t, 32 bits here; a bit buffer of 64 bits is faster, and WebAssembly has the instructions.
sed -i 's/^typedef size_t bit_buf_type;/typedef unsigned long long bit_buf_type;/' "$c/src/jdhuff.h" "$c/src/jchuff.c"

# Planes are resized each by itself: colour need not be decoded larger than brightness.
sed -i 's/^      while (ssize < DCTSIZE &&$/      while (!cinfo->raw_data_out \&\& ssize < DCTSIZE \&\&/' "$c/src/jdmaster.c"

sources=
for name in jcapimin jcapistd jccoefct jccolor jcdctmgr jchuff jcinit jcmainct jcmarker jcmaster jcomapi jcparam jcprepct jcsample \
  jdapimin jdapistd jdatasrc jdcoefct jdcolor jddctmgr jdinput jdmainct jdmarker jdmaster jdmerge jdphuff jdpostct jdsample \
  jfdctint jidctint jidctred jmemmgr jmemnobs jpeg_nbits jutils; do sources="$sources $c/src/$name.c"; done
for name in jidctint jfdctint jquanti; do sources="$sources $c/simd/powerpc/$name-altivec.c"; done

python3 -m venv zig && zig/bin/pip install --quiet ziglang==0.17.1
# shellcheck disable=SC2086
zig/bin/python -m ziglang cc -target wasm32-wasi -mexec-model=reactor -O3 -DNDEBUG -DNO_GETENV -msimd128 -mbulk-memory -w \
  -Iconfigured -I"$recipe" -I"$c/src" -I"$c/simd/powerpc" $sources \
  "$recipe/simd.c" "$recipe/absent.c" "$recipe/decode-mcu.c" "$recipe/block-means.c" "$recipe/resample.c" "$recipe/pil-resize.c" "$recipe/picture.c" \
  -Wl,--export=__stack_pointer -Wl,--strip-all -o plain.wasm 2>/dev/null

npm install --silent --no-save --ignore-scripts binaryen@132.0.0 >/dev/null
node_modules/.bin/wasm-opt -O4 --enable-simd --enable-bulk-memory --enable-sign-ext --enable-nontrapping-float-to-int --enable-mutable-globals \
  plain.wasm -o "$recipe/../../wasm/picture.wasm"
sha256sum "$recipe/../../wasm/picture.wasm"
