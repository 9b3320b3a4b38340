/** What tslab's compiler makes of a cell: JavaScript, or what is wrong with it. */
export interface Converted {
  readonly output?: string;
  readonly diagnostics: readonly Diagnostic[];
  /** Whether the cell is wrapped in an async function. */
  readonly hasToplevelAwait?: boolean;
}

/** A compiler's message; lines and characters count from 0. */
export interface Diagnostic {
  readonly start: { readonly line: number; readonly character: number };
  readonly messageText: string;
}

const USING = /^\s*(?:await\s+)?using\s+([\w$]+)\s*=/;

/**
 * What tslab's compiler lacks. It sees a top-level `await x`, but neither `for await` nor `await (x)`, and would run those cells where await
 * is no word of the language: all cells are async functions. And it is too old for `using`, of which it says nothing that helps.
 */
export function completed<T extends Converted>(converted: T, source: string): T {
  const lines = source.split("\n");
  const using = converted.diagnostics.flatMap((found) => usingIn(lines[found.start.line] ?? "", found));
  return {
    ...converted,
    ...(using.length > 0 && { diagnostics: using.slice(0, 1) }),
    hasToplevelAwait: true,
  };
}

function usingIn(line: string, diagnostic: Diagnostic): Diagnostic[] {
  const name = USING.exec(line)?.[1];
  const messageText = `Cells are compiled by TypeScript 5.0, which has no using: write const ${name} = …, and after it try { … } finally { … } with what disposes of ${name}.`;
  return name === undefined ? [] : [{ ...diagnostic, messageText }];
}
