const MOST_CHARACTERS = 80;
const MOST_ITEMS = 8;
const MOST_LEVELS = 4;

/** A value as an error sentence shows it: as JSON, cut to about 80 characters however long or deeply nested it is. */
export function shown(value: unknown): string {
  return shortened(JSON.stringify(pruned(value, MOST_LEVELS)) ?? String(value));
}

/** A text on one line, cut to about 80 characters. */
export function shortened(text: string): string {
  const line = text.slice(0, 2 * MOST_CHARACTERS).replace(/[\r\n]+/g, " ");
  return line.length > MOST_CHARACTERS ? `${line.slice(0, MOST_CHARACTERS)}…` : line;
}

/** The first few of many names, each as `shown` has it. */
export function listed(names: readonly string[]): string {
  const more = names.length > MOST_ITEMS ? ` and ${names.length - MOST_ITEMS} more` : "";
  return `${names.slice(0, MOST_ITEMS).map(shown).join(", ")}${more}`;
}

/** The value without what lies too deep or too far behind; a bigint, which JSON lacks, as a number. */
function pruned(value: unknown, levels: number): unknown {
  if (typeof value === "string") return value.slice(0, MOST_CHARACTERS + 1);
  if (typeof value === "bigint") return Number(value);
  if (typeof value !== "object" || value === null) return value;
  if (levels === 0) return "…";
  if (Array.isArray(value)) return value.slice(0, MOST_ITEMS).map((item) => pruned(item, levels - 1));
  const entries = Object.entries(value).slice(0, MOST_ITEMS);
  return Object.fromEntries(
    entries.map(([name, inner]) => [name.slice(0, MOST_CHARACTERS), pruned(inner, levels - 1)]),
  );
}
