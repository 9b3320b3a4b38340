/**
 * An error whose message is one sentence for the user: what was asked, what was found, what to do. The command line prints it alone. As it
 * may quote any file, the message is made one line without control characters of at most 600 characters: a longer one loses its middle.
 */
export class KitError extends Error {
  override readonly name: string = "KitError";

  constructor(message: string) {
    super(cutMiddle(message.replace(/[\r\n\u2028\u2029]+[ \t]*/g, " ").replace(/\p{Cc}/gu, "\ufffd")));
  }
}

const LONGEST = 600;
/** Room for the advice at the end. */
const END = 200;

function cutMiddle(line: string): string {
  return line.length <= LONGEST ? line : `${line.slice(0, LONGEST - END - 3)} … ${line.slice(-END)}`;
}

/** A computed number is not finite: which, and what may help. */
export class NotFinite extends KitError {}

/** A package is not installed that only some users need. */
export class NotInstalled extends KitError {
  /** "the package x is not installed: npm install x y" */
  readonly finding: string;

  constructor(wanted: string, finding: string) {
    super(`${wanted}, but ${finding}.`);
    this.finding = finding;
  }
}

/**
 * What to throw where packages could not be loaded: a NotInstalled that says what was wanted ("A picture was to be drawn") and how to install
 * them all, where one of them is not there; the error itself where it has another reason.
 */
export function explainLoading(error: unknown, wanted: string, packages: readonly string[]): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  const missing = packages.find((name) => message.includes(`'${name}'`) || message.includes(`'${name}/`));
  if (!missing || !["MODULE_NOT_FOUND", "ERR_MODULE_NOT_FOUND"].includes(code!)) return error;
  return new NotInstalled(wanted, `the package ${missing} is not installed: npm install ${packages.join(" ")}`);
}

/** Throws a KitError that names the unknown options of `what`. */
export function checkOptions(what: string, unknown: object, known: readonly string[]): void {
  const names = Object.keys(unknown);
  if (names.length > 0) throw new KitError(`${what} has no option ${names.join(", ")}: it has ${known.join(", ")}.`);
}

const MOST_CHARACTERS = 120;
const MOST_ITEMS = 8;
const MOST_LEVELS = 4;

/** A value as errors quote it: as JSON, shortened where it is long or deep; "nothing" for undefined. */
export function showValue(value: unknown): string {
  return shorten(JSON.stringify(prune(value, MOST_LEVELS)) ?? "nothing");
}

/** A text as errors quote it: on one line, shortened where it is long. */
export function shorten(text: string): string {
  const line = text.slice(0, 2 * MOST_CHARACTERS).replace(/[\r\n]+/g, " ");
  return line.length > MOST_CHARACTERS ? `${line.slice(0, MOST_CHARACTERS)}…` : line;
}

/** The first names of a list, and how many more there are: "a, b, c, d, e and 7,996 more". */
export function listNames(names: readonly string[], most: number = 5): string {
  const rest = names.length - most;
  return names.slice(0, most).map(shorten).join(", ") + (rest > 0 ? ` and ${rest.toLocaleString("en")} more` : "");
}

/** The value without its deep levels and later items; a bigint, which JSON does not have, as a number. */
function prune(value: unknown, levels: number): unknown {
  if (typeof value === "string") return value.slice(0, MOST_CHARACTERS + 1);
  if (typeof value === "bigint") return Number(value);
  if (typeof value !== "object" || value === null) return value;
  if (levels === 0) return "…";
  if (Array.isArray(value)) return value.slice(0, MOST_ITEMS).map((item) => prune(item, levels - 1));
  const entries = Object.entries(value).slice(0, MOST_ITEMS);
  return Object.fromEntries(entries.map(([name, inner]) => [name.slice(0, MOST_CHARACTERS), prune(inner, levels - 1)]));
}

/** The candidate with the fewest single-letter edits from `word` (case ignored), or undefined where it differs in over half of the word. */
export function findClosest(word: string, candidates: readonly string[]): string | undefined {
  const ranked = candidates
    .map((candidate) => ({ candidate, edits: editDistance(word.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.edits - b.edits);
  const best = ranked[0];
  return best !== undefined && best.edits <= Math.ceil(word.length / 2) ? best.candidate : undefined;
}

/** Levenshtein's distance, one row of its table at a time. */
function editDistance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(replaced, above[j]! + 1, row[j - 1]! + 1));
    }
    above = row;
  }
  return above[b.length]!;
}
