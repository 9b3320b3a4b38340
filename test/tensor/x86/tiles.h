// AMX's instructions on a processor without: it refuses them, and the signal's handler does what Intel's manual says they do (SDM volume 2, at
// each name). Included by tiles.c alone.
#pragma once
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

typedef struct {
  uint8_t palette, start, zero[14];
  uint16_t bytes[16];
  uint8_t rows[16];
} tile_shapes;

/** A thread's tiles. */
static _Thread_local struct {
  tile_shapes shapes;
  uint8_t data[8][16][64];
} tiles;

/** How many products of tiles the handler did. */
static int64_t tile_products;

static void refuse(const char *what) {
  fprintf(stderr, "%s\n", what);
  abort();
}

/** An instruction in the form VEX.128.0F38.W0. */
typedef struct {
  int prefix, opcode, reg, rm, vvvv, length, is_memory;
  const uint8_t *base;
  int64_t stride;
} instruction;

static uint64_t register_of(const ucontext_t *c, int number) {
  static const int PLACES[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI, REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
  return (uint64_t)c->uc_mcontext.gregs[PLACES[number]];
}

static void read_address(instruction *i, const ucontext_t *c, const uint8_t *at, int mod, int high_index, int high_base) {
  const uint8_t *p = at + 5;
  uint64_t base = 0, index = 0;
  int scale = 0, number = (at[4] & 7) | high_base;
  if ((at[4] & 7) == 4) {
    scale = *p >> 6;
    int by = (*p >> 3 & 7) | high_index;
    if (by != 4) index = register_of(c, by);
    number = (*p++ & 7) | high_base;
  }
  int32_t far = 0;
  int has_far = mod == 2 || (mod == 0 && (number & 7) == 5);
  if (has_far) memcpy(&far, p, 4), p += 4;
  if (mod == 1) far = (int8_t)*p++;
  i->length = (int)(p - at);
  if (mod || (number & 7) != 5) base = register_of(c, number);
  else if ((at[4] & 7) == 5) base = (uint64_t)p; // relative to the next instruction
  i->base = (const uint8_t *)(base + (uint64_t)(int64_t)far);
  i->stride = (int64_t)(index << scale);
}

static instruction decode(const ucontext_t *c) {
  const uint8_t *at = (const uint8_t *)c->uc_mcontext.gregs[REG_RIP];
  if (at[0] != 0xc4 || (at[1] & 0x1f) != 2 || (at[2] & 0x84)) refuse("an instruction that is not AMX's");
  int mod = at[4] >> 6;
  instruction i = {.prefix = at[2] & 3, .opcode = at[3], .reg = at[4] >> 3 & 7, .rm = at[4] & 7, .vvvv = ~at[2] >> 3 & 15, .length = 5, .is_memory = mod != 3};
  if (!(at[1] & 0x80)) refuse("a tile beyond 7");
  if (i.is_memory) read_address(&i, c, at, mod, at[1] & 0x40 ? 0 : 8, at[1] & 0x20 ? 0 : 8);
  return i;
}

static void check_tile(int tile) {
  if (tile > 7 || tiles.shapes.palette != 1 || !tiles.shapes.rows[tile] || !tiles.shapes.bytes[tile]) refuse("a tile that has no shape");
}

static void configure(const uint8_t *from) {
  tile_shapes new;
  memcpy(&new, from, sizeof new);
  for (int i = 0; i < 14; i++)
    if (new.zero[i]) refuse("LDTILECFG: reserved bytes are not 0");
  if (new.palette != 1 || new.start) refuse("LDTILECFG: a palette or a row to start at");
  for (int t = 0; t < 16; t++) {
    if (t > 7 ? new.rows[t] || new.bytes[t] : new.rows[t] > 16 || new.bytes[t] > 64) refuse("LDTILECFG: a tile is too large");
    if (!new.rows[t] != !new.bytes[t]) refuse("LDTILECFG: rows without columns");
  }
  tiles.shapes = new;
  memset(tiles.data, 0, sizeof tiles.data);
}

static void load_rows(int tile, const instruction *i) {
  check_tile(tile);
  memset(tiles.data[tile], 0, sizeof tiles.data[tile]);
  for (int r = 0; r < tiles.shapes.rows[tile]; r++) memcpy(tiles.data[tile][r], i->base + r * i->stride, tiles.shapes.bytes[tile]);
}
static void store_rows(int tile, const instruction *i) {
  check_tile(tile);
  for (int r = 0; r < tiles.shapes.rows[tile]; r++) memcpy((uint8_t *)i->base + r * i->stride, tiles.data[tile][r], tiles.shapes.bytes[tile]);
}

static float value(uint16_t bfloat16) {
  uint32_t bits = (uint32_t)bfloat16 << 16;
  if (!(bits & 0x7f800000)) bits &= 0x80000000; // denormals are zero
  float x;
  memcpy(&x, &bits, 4);
  return x;
}

/** TDPBF16PS: the first ones of the pairs and the second ones are summed apart, then both together, then onto what was there. */
static void multiply_tiles(int sum, int a, int b) {
  check_tile(sum), check_tile(a), check_tile(b);
  int units = tiles.shapes.bytes[a] / 4, columns = tiles.shapes.bytes[sum] / 4;
  if (sum == a || sum == b || a == b) refuse("TDPBF16PS: a tile twice");
  if (tiles.shapes.rows[sum] != tiles.shapes.rows[a] || tiles.shapes.bytes[sum] != tiles.shapes.bytes[b] || tiles.shapes.rows[b] != units) refuse("TDPBF16PS: shapes that do not fit");
  for (int m = 0; m < tiles.shapes.rows[sum]; m++) {
    const uint16_t *x = (const uint16_t *)tiles.data[a][m];
    float *to = (float *)tiles.data[sum][m];
    for (int n = 0; n < columns; n++) {
      float first = 0, second = 0;
      for (int k = 0; k < units; k++) {
        const uint16_t *w = (const uint16_t *)tiles.data[b][k] + 2 * n;
        first = __builtin_fmaf(value(x[2 * k]), value(w[0]), first);
        second = __builtin_fmaf(value(x[2 * k + 1]), value(w[1]), second);
      }
      to[n] += first + second;
    }
  }
  __atomic_add_fetch(&tile_products, 1, __ATOMIC_RELAXED);
}

static void run_instruction(const instruction *i) {
  enum { NONE, P66, PF3, PF2 };
  int kind = i->opcode << 8 | i->prefix << 4 | i->is_memory;
  switch (kind) {
    case 0x49 << 8 | NONE << 4 | 1: configure(i->base); return;
    case 0x49 << 8 | NONE << 4 | 0: memset(&tiles, 0, sizeof tiles); return;
    case 0x49 << 8 | PF2 << 4 | 0: check_tile(i->reg), memset(tiles.data[i->reg], 0, sizeof tiles.data[0]); return;
    case 0x4b << 8 | PF2 << 4 | 1:
    case 0x4b << 8 | P66 << 4 | 1: load_rows(i->reg, i); return;
    case 0x4b << 8 | PF3 << 4 | 1: store_rows(i->reg, i); return;
    case 0x5c << 8 | PF3 << 4 | 0: multiply_tiles(i->reg, i->rm, i->vvvv); return;
    default: refuse("an instruction of AMX's that is not known here");
  }
}

static void do_instruction(int signal, siginfo_t *info, void *context) {
  (void)signal, (void)info;
  ucontext_t *c = context;
  instruction i = decode(c);
  run_instruction(&i);
  c->uc_mcontext.gregs[REG_RIP] += i.length;
}

static void emulate_tiles(void) {
  struct sigaction action = {.sa_sigaction = do_instruction, .sa_flags = SA_SIGINFO};
  sigaction(SIGILL, &action, 0);
}
