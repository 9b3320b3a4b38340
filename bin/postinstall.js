// After the package is installed: fetches ONNX Runtime's library for this machine. Where that fails, the install does not; the kit tries again
// when it first needs it. A clone has the library from its development dependencies.
import { existsSync } from "node:fs";

const library = new URL("../dist/tensor/native/library.js", import.meta.url);
if (existsSync(library) && !existsSync(new URL("../src", import.meta.url))) {
  const { findLibrary, fetchLibrary } = await import(library);
  try {
    if (!findLibrary()) fetchLibrary();
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
  }
}
