import { KitError } from "../error.ts";
import { type Connection, HubFault } from "./hubRequest.ts";

/** Where a model was looked for. */
export interface Lookup {
  readonly id: string;
  readonly revision: string;
  /** A name that may have been meant. */
  readonly near: string | undefined;
  readonly cacheFolder: string;
  /** How many snapshots of the model the cache has. */
  readonly snapshots: number;
  readonly connection: Connection;
}

/** What was found, and what to do. */
type Finding = readonly [found: string, advice: string];

const GIVE_FOLDER = "give a folder in Hugging Face layout, or name no model to use the bundled one";

/** Why a model was not found, in one sentence, from what ended the search for it: a fault, or that requests are forbidden. */
export function whyNot(lookup: Lookup, cause: unknown): KitError {
  const { id, near, cacheFolder, snapshots } = lookup;
  const [found, advice] = findingOf(lookup, cause);
  const cached =
    snapshots > 1 ? `holds ${snapshots} snapshots of it, none of them whole under refs/main` : "does not hold it whole";
  const meant = near ? ` (did you mean ${near}?)` : "";
  return new KitError(
    `Looking for the model ${id}: there is no such folder, the cache ${cacheFolder} ${cached}, and ${found}; ${advice}${meant}.`,
  );
}

function findingOf(lookup: Lookup, cause: unknown): Finding {
  if (cause === "offline")
    return ["HF_HUB_OFFLINE forbids asking the hub", `unset it to download the model, or ${GIVE_FOLDER}`];
  if (isFileFault(cause))
    return [
      `the download cannot be written (${cause.message})`,
      "make room, or name another cache folder in HF_HUB_CACHE, and try again: what has arrived is kept",
    ];
  if (!(cause instanceof HubFault)) return [`the download failed (${messageOf(cause)})`, GIVE_FOLDER];
  const { status, passing, retryAfter } = cause.facts;
  const { hubUrl } = lookup.connection;
  if (status === 401 || status === 403 || status === 404) return refusedFinding(lookup, cause);
  if (passing && retryAfter !== undefined)
    return [
      `the hub ${hubUrl} answered ${status} and asks for a pause of ${retryAfter} seconds`,
      "try again after that: what has arrived is kept",
    ];
  if (passing) return [`the hub ${hubUrl} failed (${cause.message})`, "try again: what has arrived is kept"];
  return [`the hub ${hubUrl} cannot be reached (${cause.message})`, GIVE_FOLDER];
}

function refusedFinding({ id, revision, connection }: Lookup, { facts }: HubFault): Finding {
  const { hubUrl, token } = connection;
  const { status, code } = facts;
  const page = `${hubUrl}/${id}`;
  if (code === "GatedRepo" || status === 403)
    return token
      ? [
          `the hub answered ${status}: the account of the token in ${token.from} has no access to its files`,
          `ask for access at ${page}, and see that the token may read gated models`,
        ]
      : [
          `the hub answered ${status}: it gives its files only to accounts that were granted access`,
          `ask for access at ${page}, then set HF_TOKEN to a token of that account`,
        ];
  if (code === "RevisionNotFound")
    return [`the hub answered ${status}: the model has no revision ${revision}`, `see ${page} for those it has`];
  if (token && status === 401)
    return [
      `the hub answered 401: the token in ${token.from} is not valid, or there is no such model`,
      "correct the name or the token",
    ];
  return [
    `the hub answered ${status}: no such public model or revision`,
    `correct the name, set HF_TOKEN if it is a private model, or ${GIVE_FOLDER}`,
  ];
}

/** A full disk, a folder that cannot be written, and the like. */
const isFileFault = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && "syscall" in error && "errno" in error;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
