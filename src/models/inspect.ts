import { statSync } from "node:fs";
import type { Checkpoint } from "../checkpoints/folder.ts";
import { parseCachedPath } from "../checkpoints/hub/cache.ts";
import type { StoredTensor } from "../checkpoints/safetensors.ts";
import { KitError } from "../error.ts";
import type { Network } from "../nn/network.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import type { Config } from "./config.ts";
import type { Limits } from "./family.ts";
import { readBegin } from "./limits.ts";
import { BUNDLED_MODEL, findCheckpoint, nameModel, type OpenOptions, openTokenizer } from "./load.ts";
import { planNetwork } from "./weights.ts";

/** What a model's files hold, and what the kit makes of them; no weight has been read. */
export interface Inspection {
  readonly id: string;
  readonly folder: string;
  /** The hub's commit, where the model came from there. */
  readonly revision?: string;
  /** The weight files. */
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
  readonly config: Config;
  readonly tensors: readonly InspectedTensor[];
  /** What kind of prompts it reads, and its longest sequence, begin and end tokens; absent where the kit cannot build it. */
  readonly network?: Limits & Pick<Network, "prompts">;
  /** Absent where the kit cannot read it. */
  readonly tokenizer?: Pick<Tokenizer, "kind" | "size" | "specialTokens" | "chatTemplate">;
  /** Why the kit does not load the model, a sentence each; none where it does. */
  readonly refusals: readonly string[];
}

/** A tensor by its name in the file. */
export interface InspectedTensor extends Pick<StoredTensor, "dtype" | "shape"> {
  readonly name: string;
  /** How many numbers it has. */
  readonly size: number;
}

/**
 * Looks at a model's files without loading it: tensors, config, tokenizer, and why the kit would refuse it, where it would. Throws a KitError
 * where there is no model or its weight files are not sound.
 */
export async function inspectModel(
  id: string = BUNDLED_MODEL,
  options: Omit<OpenOptions, "untied"> = {},
): Promise<Inspection> {
  const checkpoint = await findCheckpoint(id, options);
  const refusals: string[] = [];
  const unlessRefused = async <T>(read: () => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof KitError)) throw error;
      refusals.push(error.message);
      return undefined;
    }
  };
  const plan = await unlessRefused(() => planNetwork(checkpoint));
  const tokenizer = await unlessRefused(() => openTokenizer(checkpoint, plan?.vocabulary ?? Number.POSITIVE_INFINITY));
  const network = plan && { prompts: plan.prompts, ...plan.limits };
  const begin = network && tokenizer && readBegin(network, tokenizer);
  const revision = parseCachedPath(checkpoint.folder)?.commit;
  return {
    ...{ id: nameModel(checkpoint), folder: checkpoint.folder, ...(revision && { revision }) },
    files: checkpoint.files.map((path) => ({ path, bytes: statSync(path).size })),
    config: checkpoint.config,
    tensors: listTensors(checkpoint),
    ...(network && { network: { ...network, ...(begin && { begin }) } }),
    ...(tokenizer && { tokenizer: describe(tokenizer) }),
    refusals,
  };
}

const listTensors = ({ tensors }: Checkpoint): InspectedTensor[] =>
  [...tensors].map(([name, { dtype, shape }]) => ({ name, dtype, shape, size: shape.reduce((a, b) => a * b, 1) }));

function describe({ kind, size, specialTokens, chatTemplate }: Tokenizer): NonNullable<Inspection["tokenizer"]> {
  return { kind, size, specialTokens, ...(chatTemplate !== undefined && { chatTemplate }) };
}
