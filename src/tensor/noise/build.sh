#!/bin/sh
# Compiles noise.c and writes wasm.generated.ts, so that users need no compiler. Needs clang and wasm-ld (Debian: clang, lld).
# The module is linked twice: copies into a memory that threads share are slower, so the calling thread has its own.
set -eu
cd "$(dirname "$0")"
build=$(mktemp -d)
trap 'rm -r "$build"' EXIT
# -ffp-contract=off: a fused multiply-add would round once where the definition rounds twice.
clang --target=wasm32 -std=c17 -O3 -Wall -Wextra -Werror -msimd128 -matomics -mbulk-memory -ffp-contract=off -c noise.c -o "$build/noise.o"
link() {
  wasm-ld --no-entry --strip-all --import-memory -z stack-size=0 --initial-memory=65536 "$@" "$build/noise.o"
}
link -o "$build/own.wasm"
link --shared-memory --max-memory=67108864 -o "$build/shared.wasm"
{
  echo "// Written by build.sh from noise.c (sha256 $(sha256sum noise.c | cut -d ' ' -f 1))."
  for memory in own shared; do
    [ $memory = own ] && kind="a memory of the calling thread alone" || kind="a memory that threads share"
    echo
    echo "/** noise.c compiled, as base64; it imports env.memory, $kind. */"
    echo "export const ${memory}MemoryModule: string ="
    echo "  \"$(base64 -w 0 "$build/$memory.wasm")\";"
  done
} > wasm.generated.ts
