import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type Elf, readElf } from "./elf.ts";
import { isBuilt, path, sourceHash } from "./file.ts";

const file = isBuilt ? readFileSync(path) : Buffer.alloc(0);
const elf: Elf | undefined = isBuilt ? readElf(file) : undefined;

const hasObjdump = spawnSync("objdump", ["--version"]).status === 0;
if (!hasObjdump) process.stderr.write("objdump is not installed: the library's instructions are not looked at.\n");

/** The code of a section, an instruction a line, without addresses and bytes. */
function instructions(section: string): string {
  const { stdout } = spawnSync("objdump", ["-d", "--no-show-raw-insn", "-j", section, path], {
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
  const lines = stdout.split("\n").filter((line) => /^\s+[0-9a-f]+:\t/.test(line));
  return lines.map((line) => line.slice(line.indexOf("\t") + 1)).join("\n");
}

/** What instructions beyond a level look like. */
const ANY_VECTORS = /^v|[yz]mm|%xmm(?:1[6-9]|2|3)/m;
const WIDE = /%zmm|%k[0-7]/;
const PAIRS = /bf16/;
const TILES = /%tmm|tile/;

describe.skipIf(!isBuilt)("the library's file", () => {
  test("was made from the C and by the build.sh that are beside it", () => {
    expect(file.toString("latin1"), "run src/tensor/x86/build.sh").toContain(
      `mezo-kit: C of SHA-256 ${sourceHash()}\0`,
    );
  });

  test("needs no other library, and of the process nothing but pthread_create, if it has that", () => {
    const [NEEDED, VERSIONS_NEEDED, TEXT_RELOCATIONS] = [1, 0x6ffffffe, 22];
    expect([NEEDED, VERSIONS_NEEDED, TEXT_RELOCATIONS].filter((tag) => elf!.dynamic.has(tag))).toEqual([]);
    expect(elf!.symbols.filter(({ isDefined }) => !isDefined)).toEqual([
      { name: "pthread_create", isDefined: false, isWeak: true },
    ]);
  });

  test("gives the process nothing but functions that begin with mezo_", () => {
    const given = elf!.symbols.filter(({ isDefined }) => isDefined).map(({ name }) => name);
    expect(given.filter((name) => !name.startsWith("mezo_"))).toEqual([]);
    expect(given).toEqual(expect.arrayContaining(["mezo_best_level", "mezo_use_level", "mezo_source"]));
  });

  test("stays loaded, and has no memory that can be both written and run, the stack least of all", () => {
    const [FLAGS_1, NO_DELETE, STACK] = [0x6ffffffb, 8, 0x6474e551];
    expect(elf!.dynamic.get(FLAGS_1)! & NO_DELETE).toBe(NO_DELETE);
    expect(elf!.segments.filter(({ flags }) => (flags & 3) === 3)).toEqual([]);
    expect(elf!.segments.find(({ type }) => type === STACK)?.flags).toBe(6);
  });

  test("has each level's code apart, and no other but its face and threads", () => {
    const code = [...elf!.sections].filter(([, { isCode }]) => isCode).map(([name]) => name);
    const levels = ["amx", "avx2", "avx512", "avx512bf16", "emulated"].map((level) => `level_${level}`);
    expect(code.filter((name) => !name.startsWith(".plt")).sort()).toEqual([".text", ...levels]);
  });

  describe.skipIf(!hasObjdump)("has instructions that its processors know:", () => {
    test("before the level is known those of any x86-64", () => {
      const code = instructions(".text");
      expect(code).toMatch(/cpuid[\s\S]*xgetbv/);
      expect(code).not.toMatch(ANY_VECTORS);
    });

    test.each(["avx2", "emulated"])("in level_%s no wider vectors than AVX2's", (level) => {
      const code = instructions(`level_${level}`);
      expect(code).toMatch(/%ymm/);
      expect(code).not.toMatch(WIDE);
      expect(code).not.toMatch(/%[xy]mm(?:1[6-9]|2\d|3[01])\b/);
      expect(code).not.toMatch(PAIRS);
      expect(code).not.toMatch(TILES);
    });

    test("in level_avx512 no bfloat16 and no tiles", () => {
      const code = instructions("level_avx512");
      expect(code).toMatch(WIDE);
      expect(code).not.toMatch(PAIRS);
      expect(code).not.toMatch(TILES);
    });

    test("in level_avx512bf16 products of pairs of bfloat16, and no tiles", () => {
      const code = instructions("level_avx512bf16");
      expect(code).toMatch(/vdpbf16ps/);
      expect(code).not.toMatch(TILES);
    });

    test.each(["ldtilecfg", "tileloadd", "tdpbf16ps", "tilestored", "tilerelease"])("in level_amx %s", (name) => {
      expect(instructions("level_amx")).toMatch(new RegExp(`^${name}\\b`, "m"));
    });
  });
});
