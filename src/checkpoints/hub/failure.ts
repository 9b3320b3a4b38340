import { KitError } from "../../error.ts";
import { NOUNS, type RepoType } from "./cache.ts";
import { type Connection, HubFault, tokenText } from "./request.ts";

/** Where a repository was looked for. */
export interface Lookup {
  readonly type: RepoType;
  readonly id: string;
  readonly revision: string;
  /** A similar name. */
  readonly near: string | undefined;
  readonly cacheFolder: string;
  /** How many snapshots of it the cache has. */
  readonly snapshots: number;
  readonly connection: Connection;
}

/** What was found, and what to do. */
type Finding = readonly [found: string, advice: string];

const INSTEAD: Readonly<Record<RepoType, string>> = {
  model: "give a folder in Hugging Face layout, or name no model to use the bundled one",
  dataset: "give a data folder or file",
};

/** The sentence that says why a repository was not found, from what ended the search: an error, or that requests are forbidden. */
export function explainFailure(lookup: Lookup, cause: unknown): KitError {
  const { type, id, near, cacheFolder, snapshots } = lookup;
  const [found, advice] = explainCause(lookup, cause);
  const cached =
    snapshots > 1
      ? `holds ${snapshots} snapshots of it, none of them complete under refs/main`
      : "does not hold it completely";
  const meant = near ? ` (did you mean ${near}?)` : "";
  const noFolder = type === "model" ? "there is no such folder, " : "";
  return new KitError(
    `Looking for the ${NOUNS[type]} ${id}: ${noFolder}the cache ${cacheFolder} ${cached}, and ${found}; ${advice}${meant}.`,
  );
}

function explainCause(lookup: Lookup, cause: unknown): Finding {
  const { type, connection } = lookup;
  const { hubUrl } = connection;
  if (cause === "offline")
    return ["HF_HUB_OFFLINE forbids asking the hub", `unset it to download the ${NOUNS[type]}, or ${INSTEAD[type]}`];
  if (isFileFault(cause))
    return [
      `the download cannot be written (${cause.message})`,
      "make room, or name another cache folder in HF_HUB_CACHE, and try again: what has arrived is kept",
    ];
  if (!(cause instanceof HubFault)) return [`the download failed (${readMessage(cause)})`, INSTEAD[type]];
  const { status, passing, retryAfter } = cause.facts;
  if (status === 401 || status === 403 || status === 404) return explainRefusal(lookup, cause);
  if (passing && retryAfter !== undefined)
    return [
      `the hub ${hubUrl} answered ${status} and asks for a pause of ${retryAfter} seconds`,
      "try again after that: what has arrived is kept",
    ];
  if (passing) return [`the hub ${hubUrl} failed (${cause.message})`, "try again: what has arrived is kept"];
  return [`the hub ${hubUrl} cannot be reached (${cause.message})`, INSTEAD[type]];
}

function explainRefusal({ type, id, revision, connection }: Lookup, { facts }: HubFault): Finding {
  const { hubUrl, token } = connection;
  const { status, code } = facts;
  const noun = NOUNS[type];
  const page = type === "model" ? `${hubUrl}/${id}` : `${hubUrl}/datasets/${id}`;
  if (code === "GatedRepo" || status === 403)
    return token
      ? [
          `the hub answered ${status}: the account of ${tokenText(token)} has no access to its files`,
          `ask for access at ${page}, and see that the token may read gated repositories`,
        ]
      : [
          `the hub answered ${status}: it gives its files only to accounts that were granted access`,
          `ask for access at ${page}, then set HF_TOKEN to a token of that account`,
        ];
  if (code === "RevisionNotFound")
    return [`the hub answered ${status}: the ${noun} has no revision ${revision}`, `see ${page} for those it has`];
  if (token && status === 401)
    return [
      `the hub answered 401: ${tokenText(token)} is not valid, or there is no such ${noun}`,
      "correct the name or the token",
    ];
  return [
    `the hub answered ${status}: no such public ${noun} or revision`,
    `correct the name, set HF_TOKEN if it is a private ${noun}, or ${INSTEAD[type]}`,
  ];
}

/** An error of the file system, such as a full disk. */
const isFileFault = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && "syscall" in error && "errno" in error;

const readMessage = (error: unknown): string => (error instanceof Error ? error.message : String(error));
