import { testReaders } from "./cases.ts";
import { modelReaders } from "./modelReaders.ts";
import { tokenizerReaders } from "./readers.ts";

testReaders([...tokenizerReaders, ...modelReaders]);
