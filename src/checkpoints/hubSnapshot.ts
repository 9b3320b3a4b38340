import { KitError } from "../error.ts";

/** A model on a hub; revision "main" falls back to the hub's own conversion to safetensors. */
export interface HubModel {
  readonly id: string;
  readonly revision: string;
  readonly hubUrl: string;
}

/** A file on the hub: its name, its bytes and the id of its content. */
export interface HubFile {
  readonly path: string;
  readonly size: number;
  readonly blob: string;
}

/** A commit of a model and those of its files that the kit reads. */
export interface Snapshot {
  readonly revision: string;
  readonly commit: string;
  readonly files: readonly HubFile[];
}

const WANTED =
  /^((config|generation_config|tokenizer|tokenizer_config|vocab)\.json|merges\.txt|model(-\d+-of-\d+)?\.safetensors(\.index\.json)?)$/;
const CONVERSION_TITLE = "Adding `safetensors` variant of this model";
const CONVERSION_AUTHOR = "SFconvertbot";

/** The commit that has a model's weights as safetensors; throws a KitError where none has, else what the hub answers. */
export async function findSnapshot(model: HubModel): Promise<Snapshot> {
  const snapshot = await listSnapshot(model, model.revision);
  if (hasWeights(snapshot)) return snapshot;
  const converted = model.revision === "main" ? await findConversion(model) : undefined;
  if (converted) return listSnapshot(model, converted);
  throw new KitError(
    `Downloading the model ${model.id}: the hub has no safetensors weights at revision ${model.revision}; convert the model and give its folder.`,
  );
}

async function listSnapshot({ id, hubUrl }: HubModel, revision: string): Promise<Snapshot> {
  const hub = await import("@huggingface/hub");
  const { sha } = await hub.modelInfo({ name: id, revision, hubUrl, additionalFields: ["sha"] });
  const commit = checkId(sha);
  const files: HubFile[] = [];
  for await (const { type, path, size, oid, lfs } of hub.listFiles({ repo: id, revision: commit, hubUrl })) {
    if (type === "file" && WANTED.test(path)) files.push({ path, size, blob: checkId(lfs?.oid ?? oid ?? "") });
  }
  return { revision, commit, files };
}

function hasWeights({ files }: Snapshot): boolean {
  return files.some(({ path }) => path.endsWith(".safetensors"));
}

/** Many older models, OPT's among them, have safetensors only in a pull request of the hub's own bot; only its are trusted. */
async function findConversion({ id, hubUrl }: HubModel): Promise<string | undefined> {
  const url = `${hubUrl}/api/models/${id}/discussions?type=pull_request&status=open&author=${CONVERSION_AUTHOR}`;
  const response = await fetch(url);
  if (!response.ok) return undefined;
  const { discussions } = (await response.json()) as { discussions: Discussion[] };
  const found = discussions.find(
    ({ title, author, status, isPullRequest }) =>
      isPullRequest && status === "open" && title === CONVERSION_TITLE && author?.name === CONVERSION_AUTHOR,
  );
  return found && `refs/pr/${Number(found.num)}`;
}

interface Discussion {
  readonly num: number;
  readonly title: string;
  readonly status: string;
  readonly isPullRequest: boolean;
  readonly author?: { readonly name: string };
}

/** Commits and contents become file names here, so what the server sends must be no path. */
function checkId(id: string): string {
  if (!/^[0-9a-f]{40,64}$/.test(id)) throw new Error(`the hub answered "${id}" where an object id was expected`);
  return id;
}
