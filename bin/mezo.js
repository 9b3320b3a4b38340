#!/usr/bin/env -S node --max-semi-space-size=4
// The command line, in less memory than Node takes by itself: what is new to its heap may not grow to 48 MiB before it is looked through.
// It is not compiled, so that `npx mezo` is there right after `npm ci`: in a clone it builds what src/ has changed first.
import { existsSync } from "node:fs";

if (existsSync(new URL("../src", import.meta.url))) (await import("./build.js")).build();
if (!process.exitCode) await import("../dist/cli/main.js");
