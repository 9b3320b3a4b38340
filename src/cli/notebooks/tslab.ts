import { createRequire } from "node:module";
import { explainLoading } from "../../error.ts";

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

const require = createRequire(import.meta.url);

/** The version of tslab whose inner parts are used here. */
export const TSLAB_VERSION = "1.0.22";

/** What a cell shows, as Jupyter's messages have it. */
export interface Displayed {
  readonly data: Readonly<Record<string, unknown>>;
  readonly metadata?: object;
  readonly transient?: { readonly display_id?: string };
}

/** A class of tslab. */
interface Untyped {
  // biome-ignore lint/suspicious/noExplicitAny: it has no types for its inner parts.
  readonly prototype: any;
}

/** tslab/dist/jupyter.js: what its display functions write through, its server, and what answers the server's requests. */
export interface JupyterModule {
  lastWriteDisplayData: ((message: Displayed, isUpdate: boolean) => void) | null;
  readonly ZmqServer: Untyped;
  readonly JupyterHandlerImpl: Untyped;
}

export interface Converter {
  convert(previous: string, source: string): Converted;
  close(): void;
}

export interface Executor {
  execute(source: string): Promise<boolean>;
  close(): void;
}

/** A part of tslab. Throws a KitError where it is not installed. */
function loadPart<T>(name: string): T {
  try {
    return require(`tslab/dist/${name}.js`);
  } catch (error) {
    throw explainLoading(error, "A notebook was to be run", ["tslab"]);
  }
}

export const jupyter: JupyterModule = loadPart("jupyter");

const compiler: { createConverter: (options: object) => Converter } = loadPart("converter");
const { createConverter: plain } = compiler;

/** tslab's compiler, completed for its kernel too. */
export function createConverter(options: object): Converter {
  const converter = plain(options);
  const convert: Converter["convert"] = (previous, source) => completed(converter.convert(previous, source), source);
  return { ...converter, convert };
}
compiler.createConverter = createConverter;

export const startKernel: (options: object) => void = loadPart<{ startKernel: typeof startKernel }>("main").startKernel;

type MakeExecutor = (folder: string, converters: object, console: object) => Executor;

export const createExecutor: MakeExecutor = loadPart<{ createExecutor: MakeExecutor }>("executor").createExecutor;
