#!/bin/sh
# Compiles the C here into linux-x64.so, which the package brings: users need no compiler. Needs gcc 12 (Debian 12: gcc), by which anyone gets
# the very same file. Two words name another file and a folder that keeps what was compiled. The library needs no other, not even libc, so
# that it loads on any Linux. -ffp-contract=off: a fused multiply-add would round once where the noise rounds twice. nodelete: threads of the
# library stay when a Worker that loaded it is gone. Each level's code has a section of its own (objdump -d -j level_avx2).
set -eu
export LC_ALL=C
out=$(realpath "${1:-$(dirname "$0")/linux-x64.so}")
build=$(realpath "${2:-$(mktemp -d)}")
[ $# -eq 2 ] || trap 'rm -r "$build"' EXIT
cd "$(dirname "$0")"
source=$(cat ./*.c ./*.h build.sh | sha256sum | cut -d ' ' -f 1)
compile() {
  name=$1 object=$build/$2.o
  shift 2
  gcc -std=gnu17 -O3 -ffp-contract=off -fno-math-errno -fno-trapping-math -fno-stack-protector -fno-asynchronous-unwind-tables -fvisibility=hidden -fPIC \
    -Wall -Wextra -Werror -Wno-psabi -ffile-prefix-map="$PWD"=. "$@" -c "$name" -o "$object"
}
face() { compile "$1.c" "$1" -march=x86-64 -fno-tree-loop-distribute-patterns -DSOURCE="\"$source\""; }
at_level() {
  level=$1 file=$2
  shift 2
  compile "$file.c" "$level-$file" -fno-reorder-functions -DLEVEL="$level" "$@"
  objcopy --rename-section .text="level_$level" "$build/$level-$file.o"
}
face mezo
face processor
face threads
at_level avx2 level -march=x86-64-v3 -DBASE_LEVEL
at_level avx512 level -march=x86-64-v4 -mprefer-vector-width=512 -DBASE_LEVEL
at_level avx512bf16 level -march=x86-64-v4 -mprefer-vector-width=512 -mavx512bf16
at_level amx level -march=x86-64-v4 -mprefer-vector-width=512 -mavx512bf16 -mamx-tile -mamx-bf16 -DTILES
at_level emulated level -march=x86-64-v3 -DTILES -DEMULATED
at_level avx2 moves -march=x86-64-v3 -fschedule-insns -fsched-pressure
at_level avx512 moves -march=x86-64-v4 -mprefer-vector-width=512 -fschedule-insns -fsched-pressure
gcc -shared -nostdlib -Wl,--gc-sections,-z,defs,-z,nodelete,-z,now,-z,noexecstack,--build-id=none,--hash-style=gnu -s -o "$build/library.so" "$build"/*.o
cat "$build/library.so" > "$out"
