import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { KitError, listNames } from "../../error.ts";
import { CONFIG, chooseModelFiles, findModelIn, isWeightFile, listGguf } from "../modelFiles.ts";
import { chooseRevision, parseHubName } from "./cache.ts";
import type { Listing, Snapshot, Wanted } from "./listing.ts";
import { findOnHub, type HubOptions, type Search } from "./search.ts";

/** Options of resolveModel. */
export interface ResolveModelOptions extends HubOptions, Pick<Search, "accept" | "near"> {}

/**
 * The local path of a model: an existing one is returned; a name on the hub such as "facebook/opt-125m", "roberta-large@v1" or
 * "owner/name/file.gguf" is looked up in the Hugging Face cache, and downloaded to it where it is missing. It is a folder in Hugging Face
 * layout, or a GGUF file. Throws a KitError where none of this works.
 */
export async function resolveModel(name: string, options: ResolveModelOptions = {}): Promise<string> {
  const { near, accept } = options;
  if (existsSync(name)) return checkLocal(name, options.revision);
  const { id, file, revision } = readName(name, options);
  return findOnHub(
    {
      ...{ type: "model", id, revision, near, accept },
      usual: ["main"],
      find: (folder) => findModelIn(folder, file),
      choose: (list) => chooseModel(list, { id, revision: revision ?? "main", file }),
    },
    options,
  );
}

/**
 * Where a model's configuration lies: a folder that has its config.json, or a file of weights. An existing path is returned; of a name on the hub
 * what the cache has, or else config.json alone, downloaded to it. Throws a KitError where none of this works.
 */
export async function resolveConfig(name: string, options: ResolveModelOptions = {}): Promise<string> {
  const { near } = options;
  if (existsSync(name)) return checkLocal(name, options.revision);
  const { id, file, revision } = readName(name, options);
  return findOnHub(
    {
      ...{ type: "model", id, revision, near },
      usual: ["main"],
      find: (folder) => findModelIn(folder, file) ?? (file === undefined ? findConfigIn(folder) : undefined),
      choose: async (list) => chooseConfig(await list(revision ?? "main"), { id, file }),
    },
    options,
  );
}

/** What a name means on the hub: a model, maybe one GGUF file of it, at a revision where one is named. Throws a KitError where it is none. */
function readName(
  name: string,
  { revision, near }: ResolveModelOptions,
): Pick<Asked, "id" | "file"> & { readonly revision: string | undefined } {
  const parsed = parseHubName(name);
  const { id, inside: file } = parsed ?? {};
  if (!parsed || !id || (file !== undefined && !file.endsWith(".gguf"))) throw noModel(name, near);
  return { id, file, revision: chooseRevision(name, parsed, revision) };
}

const findConfigIn = (folder: string): string | undefined => (existsSync(join(folder, CONFIG)) ? folder : undefined);

function chooseConfig(snapshot: Snapshot, { id, file }: Pick<Asked, "id" | "file">): Wanted {
  const files = snapshot.files.filter(({ path }) => path === CONFIG);
  if (files.length > 0 && file === undefined) return { ...snapshot, files };
  throw new KitError(
    `Looking for the config of ${id} on the hub: it is in a GGUF file there, which is not on this machine; download that, and give its path.`,
  );
}

function checkLocal(path: string, revision: string | undefined): string {
  if (statSync(path).isFile() && !isWeightFile(path))
    throw new KitError(
      `Looking for the model ${path}: it is a file; give the folder that holds the model's files, or a file of weights (.gguf, .safetensors, .bin).`,
    );
  if (revision === undefined) return path;
  throw new KitError(
    `Looking for the model ${path} at revision ${revision}: it lies on this machine, where models have no revisions; leave the revision out.`,
  );
}

function noModel(text: string, near: string | undefined): KitError {
  const found = "there is no such folder, and it is not a hub id such as roberta-large or facebook/opt-125m";
  return new KitError(
    `Looking for the model ${text}: ${found}; ${near ? `did you mean ${near}?` : "give one of them."}`,
  );
}

/** A model on the hub, and the file of it that was asked for. */
interface Asked {
  readonly id: string;
  readonly revision: string;
  readonly file: string | undefined;
}

/** The files of a model that are to be downloaded. Throws a KitError where the kit can read none of its weights. */
async function chooseModel(list: Listing, asked: Asked): Promise<Wanted> {
  const snapshot = await list(asked.revision);
  const paths = snapshot.files.map(({ path }) => path);
  const only = (wanted: readonly string[]) => snapshot.files.filter(({ path }) => wanted.includes(path));
  const folder = asked.file === undefined ? chooseModelFiles(paths) : undefined;
  if (folder) return { ...snapshot, files: only(folder) };
  const path = chooseGguf(paths, asked);
  return { ...snapshot, files: only([path]), path };
}

function chooseGguf(paths: readonly string[], { id, revision, file }: Asked): string {
  const all = listGguf(paths);
  const [first] = all;
  if (file !== undefined ? all.includes(file) : all.length === 1) return file ?? first!;
  const cannot = (found: string, advice: string): KitError =>
    new KitError(`Downloading the model ${id} at revision ${revision}: the hub has ${found}; ${advice}.`);
  const names = listNames(all.map((path) => `${id}/${path}`));
  if (all.length > 0)
    throw cannot(
      file === undefined ? `${all.length} GGUF files of it` : `no file ${file} of it`,
      `name one of ${names}`,
    );
  throw cannot(
    "no weights of it that the kit reads (model.safetensors, pytorch_model.bin or a GGUF file)",
    "convert the model and give its folder",
  );
}
