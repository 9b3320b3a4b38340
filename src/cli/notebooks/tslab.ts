import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

/** The version of tslab whose inner parts are used here. */
export const TSLAB_VERSION = "1.0.22";

/** What a cell shows, as Jupyter's messages have it. */
export interface Displayed {
  readonly data: Readonly<Record<string, unknown>>;
  readonly metadata?: object;
  readonly transient?: { readonly display_id?: string };
}

/** tslab/dist/jupyter.js: what its display functions write through, and its server. */
export interface JupyterModule {
  lastWriteDisplayData: ((message: Displayed, isUpdate: boolean) => void) | null;
  // biome-ignore lint/suspicious/noExplicitAny: tslab has no types for its server.
  readonly ZmqServer: { readonly prototype: any };
}

export interface Converter {
  convert(previous: string, source: string): { output?: string; [rest: string]: unknown };
  close(): void;
}

export interface Executor {
  execute(source: string): Promise<boolean>;
  close(): void;
}

export const jupyter: JupyterModule = require("tslab/dist/jupyter.js");

export const startKernel: (options: object) => void = require("tslab/dist/main.js").startKernel;

export const createConverter: (options: object) => Converter = require("tslab/dist/converter.js").createConverter;

export const createExecutor: (folder: string, converters: object, console: object) => Executor =
  require("tslab/dist/executor.js").createExecutor;
