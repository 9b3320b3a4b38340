#!/bin/sh
# Compiles the C here into linux-x64.so, which the package brings: users need no compiler. Needs gcc 12 (Debian: gcc). The library needs no
# other, not even libc, so that it loads on any Linux; it stays loaded (nodelete), since its threads run in it. -ffp-contract=off: a fused
# multiply-add would round once where the noise rounds twice.
set -eu
cd "$(dirname "$0")"
out=${1:-linux-x64.so}
build=$(mktemp -d)
trap 'rm -r "$build"' EXIT
compile() {
  source=$1 object=$2
  shift 2
  gcc -std=gnu17 -O3 -ffp-contract=off -fno-math-errno -fno-trapping-math -fno-stack-protector -fno-asynchronous-unwind-tables -fvisibility=hidden -fPIC \
    -Wall -Wextra -Werror -Wno-psabi -ffile-prefix-map="$PWD"=. "$@" -c "$source" -o "$build/$object.o"
}
compile mezo.c mezo -march=x86-64 -fno-tree-loop-distribute-patterns
compile level.c avx2 -march=x86-64-v3 -DLEVEL=avx2 -DBASE_LEVEL
compile level.c avx512 -march=x86-64-v4 -mprefer-vector-width=512 -DLEVEL=avx512 -DBASE_LEVEL
compile level.c avx512bf16 -march=x86-64-v4 -mprefer-vector-width=512 -mavx512bf16 -DLEVEL=avx512bf16
compile level.c amx -march=x86-64-v4 -mprefer-vector-width=512 -mavx512bf16 -mamx-tile -mamx-bf16 -DLEVEL=amx -DTILES
compile level.c emulated -march=x86-64-v3 -DLEVEL=emulated -DTILES -DEMULATED
gcc -shared -nostdlib -Wl,--gc-sections,-z,noexecstack,-z,nodelete,--build-id=none,--hash-style=gnu -s -o "$build/library.so" "$build"/*.o
cat "$build/library.so" > "$out"
