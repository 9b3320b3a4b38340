#!/usr/bin/env node
// The command line. It is not compiled, so that `npx mezo` is there right after `npm ci`: in a clone it builds what src/ has changed first.
import { existsSync } from "node:fs";

if (existsSync(new URL("../src", import.meta.url))) (await import("./build.js")).build();
if (!process.exitCode) await import("../dist/cli/main.js");
