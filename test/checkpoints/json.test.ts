import { expect, test } from "vitest";
import { duplicateKey } from "../../src/checkpoints/json.ts";

test.each([
  ['{"a":1,"b":{"a":2},"c":[{"a":1},{"a":2}]}', undefined],
  ['{"a":1,"b":2,"a" : 3}', "a"],
  ['{"a":{"b":1,"b":2}}', "b"],
  ['[{"a":1},{"b":[{}],"c":"b","b":2}]', "b"],
  ['{"a":"\\"a\\":","b":"{","c":"}","d":1}', undefined],
  ['{"a":"{\\\\","\\u0061":1}', "a"],
  ['{"__proto__":1,"constructor":2,"__proto__":3}', "__proto__"],
  ["[]", undefined],
])("the key that an object has twice is found: %s", (json, key) => {
  expect(() => JSON.parse(json)).not.toThrow();
  expect(duplicateKey(json)).toBe(key);
});
