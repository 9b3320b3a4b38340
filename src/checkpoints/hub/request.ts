import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { KitError } from "../../error.ts";

/** The address of the hub, without a slash at its end: $HF_ENDPOINT or huggingface.co. Throws a KitError for anything else. */
export function readHubAddress(): string {
  const address = process.env.HF_ENDPOINT || "https://huggingface.co";
  if (!/^https?:\/\//.test(address) || !URL.canParse(address))
    throw new KitError(
      `HF_ENDPOINT is "${address}" where the hub's address belongs, such as https://huggingface.co; correct it or unset it.`,
    );
  return address.replace(/\/+$/, "");
}

/** Whether the user has forbidden requests to the hub, by the variables of the Hugging Face libraries. */
export function isOffline(): boolean {
  return isOn("HF_HUB_OFFLINE") || isOn("TRANSFORMERS_OFFLINE");
}

const isOn = (variable: string): boolean => /^(1|on|yes|true)$/i.test(process.env[variable] ?? "");

/**
 * The folder that the Hugging Face libraries cache repositories in: $HF_HUB_CACHE, $HF_HOME/hub or ~/.cache/huggingface/hub. Unlike with the
 * library's own function, an empty variable counts for nothing and ~ is the home folder.
 */
export function findHubCache(): string {
  const { HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE } = process.env;
  return expanded(HF_HUB_CACHE || HUGGINGFACE_HUB_CACHE || join(hubHome(), "hub"));
}

function hubHome(): string {
  const { HF_HOME, XDG_CACHE_HOME } = process.env;
  return expanded(HF_HOME || join(XDG_CACHE_HOME || join(homedir(), ".cache"), "huggingface"));
}

const expanded = (path: string): string => path.replace(/^~(?=$|[\\/])/, () => homedir());

/** The secret that identifies a user to the hub, and where it was found: "option", "HF_TOKEN" or a file. */
export interface HubToken {
  readonly secret: string;
  readonly from: string;
}

/** The token that was given, else the user's where there is one: $HF_TOKEN, or the file that `hf auth login` writes. Throws a KitError for an invalid one. */
export function findToken(option?: string): HubToken | undefined {
  const token = option ? { secret: option.trim(), from: "option" } : storedToken();
  if (!token?.secret) return undefined;
  if (!/^[\x21-\x7e]+$/.test(token.secret))
    throw new KitError(
      `${startSentence(tokenText(token))} has characters that no token has; copy it again from the hub.`,
    );
  return token;
}

/** "the token in HF_TOKEN": never the secret itself. */
export const tokenText = ({ from }: HubToken): string =>
  from === "option" ? "the token that was given" : `the token in ${from}`;

const startSentence = (text: string): string => `${text[0]!.toUpperCase()}${text.slice(1)}`;

function storedToken(): HubToken | undefined {
  if (isOn("HF_HUB_DISABLE_IMPLICIT_TOKEN")) return undefined;
  const file = expanded(process.env.HF_TOKEN_PATH || join(hubHome(), "token"));
  const secret = process.env.HF_TOKEN?.trim();
  if (secret) return { secret, from: "HF_TOKEN" };
  return existsSync(file) ? { secret: readFileSync(file, "utf8").trim(), from: file } : undefined;
}

/** The default of $HF_HUB_DOWNLOAD_TIMEOUT. */
const SILENCE_SECONDS = 30;

/** Seconds without a byte from the hub after which a request is abandoned. */
export function silenceLimit(): number {
  const seconds = Number(process.env.HF_HUB_DOWNLOAD_TIMEOUT);
  return seconds > 0 && seconds < 86_400 ? seconds : SILENCE_SECONDS;
}

/** How the hub is reached. */
export interface Connection {
  /** Its address, without a slash at its end. */
  readonly hubUrl: string;
  /** Sent to that address alone. */
  readonly token?: HubToken | undefined;
  /** Seconds without a byte after which a request is abandoned. */
  readonly silenceSeconds: number;
  /** Waits between two tries. */
  readonly wait: (seconds: number) => Promise<void>;
}

/** What is known of a fault beside its message. */
interface FaultFacts {
  /** The status of the hub's answer; absent without an answer. */
  readonly status?: number;
  /** What the hub's header X-Error-Code calls it, such as GatedRepo. */
  readonly code?: string | undefined;
  /** Seconds that the hub asks to wait before the next try. */
  readonly retryAfter?: number | undefined;
  /** Whether the same request may succeed later. */
  readonly passing: boolean;
}

/** A request to the hub failed or was cut. */
export class HubFault extends Error {
  override readonly name: string = "HubFault";
  readonly facts: FaultFacts;
  constructor(message: string, facts: FaultFacts) {
    super(message);
    this.facts = facts;
  }
}

/** The most tries in a row without progress, and the longest pause between two in seconds. */
const TRIES = 5;
const LONGEST_PAUSE = 60;

/**
 * Tries until it succeeds, at most five times in a row without progress: `progressed` resets the count. Pauses between tries are as long as
 * the hub asks for, else 1, 2, 4, 8 seconds. Throws at once a fault that does not pass, a hub that cannot be reached and has not answered
 * before, and a hub that asks for more than a minute.
 */
export async function retry<T>({ wait }: Connection, attempt: (progressed: () => void) => Promise<T>): Promise<T> {
  let failures = 0;
  let heard = false;
  const progressed = (): void => {
    [failures, heard] = [0, true];
  };
  for (;;) {
    try {
      return await attempt(progressed);
    } catch (error) {
      failures++;
      const pause = error instanceof HubFault ? choosePause(error.facts, failures, heard) : undefined;
      if (pause === undefined) throw error;
      await wait(pause);
    }
  }
}

function choosePause(
  { passing, status, retryAfter }: FaultFacts,
  failures: number,
  heard: boolean,
): number | undefined {
  const mayPass = passing || (heard && status === undefined);
  const pause = retryAfter ?? 2 ** (failures - 1);
  return mayPass && failures < TRIES && pause <= LONGEST_PAUSE ? pause : undefined;
}

/** Reads an answer; calls `onData` for each piece of it. */
type Reader<T> = (response: Response, onData: () => void) => Promise<T>;

/** Makes one request and reads its answer. Throws a HubFault for a status other than success, a cut connection and a time-out. */
export async function ask<T>(
  connection: Connection,
  url: string,
  headers: Readonly<Record<string, string>>,
  read: Reader<T>,
): Promise<T> {
  const { silenceSeconds } = connection;
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), 1000 * silenceSeconds);
  try {
    const all = { ...headers, ...authorize(connection, url) };
    const response = await fetch(url, { headers: all, signal: stop.signal });
    if (!response.ok) throw readRefusal(response);
    return await read(response, () => timer.refresh());
  } catch (error) {
    if (stop.signal.aborted) throw new HubFault(`it sent nothing for ${silenceSeconds} seconds`, { passing: true });
    throw toFault(error);
  } finally {
    clearTimeout(timer);
    stop.abort(); // an unread rest of the answer would keep the connection open
  }
}

/** The token goes to the hub's own address alone; fetch drops it where the hub redirects to another. */
function authorize({ hubUrl, token }: Connection, url: string): Record<string, string> {
  const isHubs = token !== undefined && new URL(url).origin === new URL(hubUrl).origin;
  return isHubs ? { authorization: `Bearer ${token.secret}` } : {};
}

const PASSING_STATUSES: readonly number[] = [408, 429, 500, 502, 503, 504];

function readRefusal({ status, headers }: Response): HubFault {
  return new HubFault(`it answered ${status}`, {
    status,
    code: headers.get("x-error-code") ?? undefined,
    retryAfter: parseRetryAfter(headers.get("retry-after")),
    passing: PASSING_STATUSES.includes(status),
  });
}

/** The header Retry-After: seconds, or a date. */
function parseRetryAfter(retryAfter: string | null): number | undefined {
  if (!retryAfter) return undefined;
  const seconds = /^\d+$/.test(retryAfter) ? Number(retryAfter) : (Date.parse(retryAfter) - Date.now()) / 1000;
  return Number.isNaN(seconds) ? undefined : Math.max(0, Math.ceil(seconds));
}

/** Codes of cut connections; other codes, such as of a failed name lookup, mean that the hub cannot be reached. */
const CUT: readonly unknown[] = ["ECONNRESET", "EPIPE", "ETIMEDOUT", "UND_ERR_SOCKET", "UND_ERR_HEADERS_TIMEOUT"];

/** Node's fetch wraps the faults of a connection in a TypeError: "fetch failed" before the answer, "terminated" in it. */
function toFault(error: unknown): unknown {
  if (!(error instanceof TypeError) || !(error.cause instanceof Error)) return error;
  const { message, code } = error.cause as NodeJS.ErrnoException;
  return new HubFault(message || code || error.message, {
    passing: error.message === "terminated" || CUT.includes(code),
  });
}

/** A `fetch` for the hub's library: retries, and returns complete answers. Throws a HubFault as `ask` does. */
export function hubFetch(connection: Connection): typeof fetch {
  return (url, init) =>
    retry(connection, () => ask(connection, String(url), Object.fromEntries(new Headers(init?.headers)), whole));
}

const whole: Reader<Response> = async ({ body, status, headers }, onData) => {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body ?? []) {
    onData();
    chunks.push(chunk);
  }
  return new Response(Buffer.concat(chunks), { status, headers });
};
