import { createRequire } from "node:module";
import { type Converted, completed } from "./converted.ts";

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

export const jupyter: JupyterModule = require("tslab/dist/jupyter.js");

const compiler: { createConverter: (options: object) => Converter } = require("tslab/dist/converter.js");
const { createConverter: plain } = compiler;

/** tslab's compiler, completed for its kernel too. */
export function createConverter(options: object): Converter {
  const converter = plain(options);
  const convert: Converter["convert"] = (previous, source) => completed(converter.convert(previous, source), source);
  return { ...converter, convert };
}
compiler.createConverter = createConverter;

export const startKernel: (options: object) => void = require("tslab/dist/main.js").startKernel;

export const createExecutor: (folder: string, converters: object, console: object) => Executor =
  require("tslab/dist/executor.js").createExecutor;
