import type { HubToken } from "./hubEnvironment.ts";

/** How the hub is reached. */
export interface Connection {
  /** Its address, without a slash at its end. */
  readonly hubUrl: string;
  /** Sent to that address alone. */
  readonly token?: HubToken | undefined;
  /** Seconds without a byte after which a request is given up. */
  readonly silenceSeconds: number;
  /** Waits before the hub is asked again. */
  readonly wait: (seconds: number) => Promise<void>;
}

/** What a fault tells beside its message. */
interface FaultFacts {
  /** The status that the hub answered; none where there was no answer. */
  readonly status?: number;
  /** What the hub's header X-Error-Code calls it, such as GatedRepo. */
  readonly code?: string | undefined;
  /** After how many seconds the hub wants to be asked again. */
  readonly retryAfter?: number | undefined;
  /** Whether the same request may go well later. */
  readonly passing: boolean;
}

/** A request to the hub that brought no whole answer. */
export class HubFault extends Error {
  override readonly name: string = "HubFault";
  readonly facts: FaultFacts;
  constructor(message: string, facts: FaultFacts) {
    super(message);
    this.facts = facts;
  }
}

/** How often a request is made that brings nothing, and the longest time in seconds that is waited in between. */
const TRIES = 5;
const LONGEST_PAUSE = 60;

/**
 * Tries until it goes well, and at most five times in a row that bring nothing: `progressed` begins the count again. Between two tries
 * the hub has as long as it asks for, else 1, 2, 4, 8 seconds. A fault that does not pass is thrown at once; so is a hub that cannot be
 * reached, unless it was heard before, and one that asks for more than a minute.
 */
export async function retried<T>({ wait }: Connection, attempt: (progressed: () => void) => Promise<T>): Promise<T> {
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
      const pause = error instanceof HubFault ? pauseAfter(error.facts, failures, heard) : undefined;
      if (pause === undefined) throw error;
      await wait(pause);
    }
  }
}

function pauseAfter({ passing, status, retryAfter }: FaultFacts, failures: number, heard: boolean): number | undefined {
  const mayPass = passing || (heard && status === undefined);
  const pause = retryAfter ?? 2 ** (failures - 1);
  return mayPass && failures < TRIES && pause <= LONGEST_PAUSE ? pause : undefined;
}

/** Reads an answer; `heard` is called for each piece that comes. */
type Reader<T> = (response: Response, heard: () => void) => Promise<T>;

/** Makes one request and reads its answer. Throws a HubFault for another status than success, a cut connection and silence. */
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
    const all = { ...headers, ...authorization(connection, url) };
    const response = await fetch(url, { headers: all, signal: stop.signal });
    if (!response.ok) throw refusal(response);
    return await read(response, () => timer.refresh());
  } catch (error) {
    if (stop.signal.aborted) throw new HubFault(`it sent nothing for ${silenceSeconds} seconds`, { passing: true });
    throw faultOf(error);
  } finally {
    clearTimeout(timer);
    stop.abort(); // an answer that was not read to its end would keep its connection
  }
}

/** The token goes to the hub's own address alone; fetch drops it where the hub sends a request on to another. */
function authorization({ hubUrl, token }: Connection, url: string): Record<string, string> {
  const isHubs = token !== undefined && new URL(url).origin === new URL(hubUrl).origin;
  return isHubs ? { authorization: `Bearer ${token.secret}` } : {};
}

const PASSING_STATUSES: readonly number[] = [408, 429, 500, 502, 503, 504];

function refusal({ status, headers }: Response): HubFault {
  return new HubFault(`it answered ${status}`, {
    status,
    code: headers.get("x-error-code") ?? undefined,
    retryAfter: secondsIn(headers.get("retry-after")),
    passing: PASSING_STATUSES.includes(status),
  });
}

/** The header Retry-After: seconds, or a date. */
function secondsIn(retryAfter: string | null): number | undefined {
  if (!retryAfter) return undefined;
  const seconds = /^\d+$/.test(retryAfter) ? Number(retryAfter) : (Date.parse(retryAfter) - Date.now()) / 1000;
  return Number.isNaN(seconds) ? undefined : Math.max(0, Math.ceil(seconds));
}

/** Codes of connections that were cut; others, such as a name without an address, mean that there is no way to the hub. */
const CUT: readonly unknown[] = ["ECONNRESET", "EPIPE", "ETIMEDOUT", "UND_ERR_SOCKET", "UND_ERR_HEADERS_TIMEOUT"];

/** Node's fetch wraps the faults of a connection in a TypeError: "fetch failed" before the answer, "terminated" in it. */
function faultOf(error: unknown): unknown {
  if (!(error instanceof TypeError) || !(error.cause instanceof Error)) return error;
  const { message, code } = error.cause as NodeJS.ErrnoException;
  return new HubFault(message || code || error.message, {
    passing: error.message === "terminated" || CUT.includes(code),
  });
}

/** A `fetch` for the hub's library: its answers come whole, after as many tries as they need. Throws a HubFault, as `ask` does. */
export function hubFetch(connection: Connection): typeof fetch {
  return (url, init) =>
    retried(connection, () => ask(connection, String(url), Object.fromEntries(new Headers(init?.headers)), whole));
}

const whole: Reader<Response> = async ({ body, status, headers }, heard) => {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body ?? []) {
    heard();
    chunks.push(chunk);
  }
  return new Response(Buffer.concat(chunks), { status, headers });
};
