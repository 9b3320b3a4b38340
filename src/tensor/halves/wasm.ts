import { ownMemoryModule } from "../noise/wasm.generated.ts";
import { PAGE, PIECE, wasm } from "../noise/webassembly.ts";
import type { HalfFormat } from "./format.ts";
import type { plainNarrow, plainWiden } from "./plain.ts";

/** The two directions of rounding, as `plain.ts` defines them. */
export interface HalvesModule {
  readonly widen: typeof plainWiden;
  readonly narrow: typeof plainNarrow;
}

/** The formats by the numbers that noise.c has for them. */
const FORMATS: Readonly<Record<HalfFormat, number>> = { bfloat16: 0, float16: 1 };

/** Both directions in WebAssembly SIMD; undefined where SIMD or WebAssembly is missing. */
export function halvesModule(): HalvesModule | undefined {
  try {
    const { Module, Instance, Memory } = wasm()!;
    const memory = new Memory({ initial: Math.ceil((6 * PIECE) / PAGE) });
    const { exports } = new Instance(new Module(Buffer.from(ownMemoryModule, "base64")), { env: { memory } });
    const [floats, halves] = [
      new Float32Array(memory.buffer, 0, PIECE),
      new Uint16Array(memory.buffer, 4 * PIECE, PIECE),
    ];
    return {
      widen: (bits, format, into) => {
        for (let at = 0; at < bits.length; at += PIECE) {
          const part = into.subarray(at, at + PIECE);
          halves.set(bits.subarray(at, at + PIECE));
          exports.widen(0, part.length, 4 * PIECE, FORMATS[format]);
          part.set(floats.subarray(0, part.length));
        }
      },
      narrow: (values, format, into, draw) => {
        for (let at = 0; at < values.length; at += PIECE) {
          const part = into.subarray(at, at + PIECE);
          floats.set(values.subarray(at, at + PIECE));
          const key = draw && ([draw.key.k0, draw.key.k1, draw.key.stream, (draw.from + at) / 8] as const);
          if (key) exports.narrowStochastic(0, part.length, 4 * PIECE, FORMATS[format], ...key);
          else exports.narrow(0, part.length, 4 * PIECE, FORMATS[format]);
          part.set(halves.subarray(0, part.length));
        }
      },
    };
  } catch {
    return undefined;
  }
}
