import type { Dropped } from "./task.ts";

/** By reason, what is true of one row and of several. */
const REASONS: Readonly<Record<Dropped["reason"], readonly [one: string, several: string]>> = {
  repeated: ["repeats an earlier one", "repeat an earlier one"],
  contradicting: [
    "has the text of an earlier one and another label",
    "have the text of an earlier one and another label",
  ],
  unlabelled: ["has no label", "have no label"],
};

/** The numbers of rows as a task has them; undefined where none was left out. */
export function droppedRows(rows: Readonly<Record<Dropped["reason"], number>>): readonly Dropped[] | undefined {
  const reasons = Object.keys(REASONS) as Dropped["reason"][];
  const dropped = reasons.map((reason) => ({ reason, rows: rows[reason] })).filter((some) => some.rows > 0);
  return dropped.length > 0 ? dropped : undefined;
}

/** "left out: 3 rows that repeat an earlier one, 1 row that has no label". */
export function droppedText(dropped: readonly Dropped[]): string {
  const parts = dropped.map(({ reason, rows }) =>
    rows === 1 ? `1 row that ${REASONS[reason][0]}` : `${rows} rows that ${REASONS[reason][1]}`,
  );
  return `left out: ${parts.join(", ")}`;
}
