import { KitError, showValue } from "../error.ts";
import { type Connection, HubFault, hubFetch } from "./hubRequest.ts";

/** A model on a hub; revision "main" falls back to the hub's own conversion to safetensors. */
export interface HubModel {
  readonly id: string;
  readonly revision: string;
  readonly connection: Connection;
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
  /^((config|generation_config|tokenizer|tokenizer_config|vocab|added_tokens)\.json|merges\.txt|model(-\d+-of-\d+)?\.safetensors(\.index\.json)?)$/;

const CONVERSION_TITLE = "Adding `safetensors` variant of this model";

const CONVERSION_AUTHOR = "SFconvertbot";

/** Finds the commit that has a model's weights as safetensors. Throws a KitError where none has, else a HubFault. */
export async function findSnapshot(model: HubModel): Promise<Snapshot> {
  const snapshot = await listSnapshot(model, model.revision);
  if (hasWeights(snapshot)) return snapshot;
  const converted = model.revision === "main" ? await findConversion(model) : undefined;
  if (converted) return listSnapshot(model, converted);
  throw new KitError(
    `Downloading the model ${model.id}: the hub has no safetensors weights at revision ${model.revision}; convert the model and give its folder.`,
  );
}

async function listSnapshot({ id, connection }: HubModel, revision: string): Promise<Snapshot> {
  const hub = await import("@huggingface/hub");
  const at = { hubUrl: connection.hubUrl, fetch: hubFetch(connection) };
  const { sha } = await hub.modelInfo({ name: id, revision, additionalFields: ["sha"], ...at });
  const commit = checkId(sha);
  const files: HubFile[] = [];
  for await (const { type, path, size, oid, lfs } of hub.listFiles({ repo: id, revision: commit, ...at })) {
    if (type === "file" && WANTED.test(path))
      files.push({ path, size: checkSize(path, size), blob: checkId(lfs?.oid ?? oid ?? "") });
  }
  return { revision, commit, files };
}

function hasWeights({ files }: Snapshot): boolean {
  return files.some(({ path }) => path.endsWith(".safetensors"));
}

/** Many older models, such as OPT, have safetensors only in a pull request of the hub's own bot, the only one that is trusted. */
async function findConversion(model: HubModel): Promise<string | undefined> {
  const found = (await listDiscussions(model)).find(
    ({ title, author, status, isPullRequest }) =>
      isPullRequest && status === "open" && title === CONVERSION_TITLE && author?.name === CONVERSION_AUTHOR,
  );
  return found && `refs/pr/${Number(found.num)}`;
}

async function listDiscussions({ id, connection }: HubModel): Promise<readonly Discussion[]> {
  const url = `${connection.hubUrl}/api/models/${id}/discussions?type=pull_request&status=open&author=${CONVERSION_AUTHOR}`;
  try {
    const response = await hubFetch(connection)(url);
    return ((await response.json()) as { discussions: Discussion[] }).discussions;
  } catch (error) {
    if (error instanceof HubFault && error.facts.status !== undefined) return []; // a model may have none
    throw error;
  }
}

interface Discussion {
  readonly num: number;
  readonly title: string;
  readonly status: string;
  readonly isPullRequest: boolean;
  readonly author?: { readonly name: string };
}

/** Commits and contents become file names, so what the server sends must not be a path: a SHA-1 or SHA-256. */
function checkId(id: string): string {
  if (!/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(id))
    throw new Error(`the hub answered ${showValue(id)} where an object id was expected`);
  return id;
}

function checkSize(path: string, size: number): number {
  if (Number.isSafeInteger(size) && size >= 0) return size;
  throw new Error(`the hub answered ${showValue(size)} where the bytes of ${path} were expected`);
}
