import { expect, test } from "vitest";
import { leftStrip, strip, stripSpaces } from "../../src/text/prompt.ts";

// Every character c for which Python 3.11 says c.isspace().
const pythonSpace =
  "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000";

test("the white space of Python is stripped, and no other character of the basic plane", () => {
  const stripped = Array.from({ length: 0x10000 }, (_, code) => String.fromCharCode(code)).filter(
    (c) => strip(c) === "",
  );
  expect(stripped.join("")).toBe(pythonSpace);
});

test("strip takes both ends, leftStrip the start, and neither the middle", () => {
  expect(strip("\n a \n b\x1c ")).toBe("a \n b");
  expect(leftStrip("\n a \n b ")).toBe("a \n b ");
  expect([strip(""), strip(" \n")]).toEqual(["", ""]);
});

test("stripSpaces keeps line breaks", () => {
  expect(stripSpaces("  \n a b\n  ")).toBe("\n a b\n");
  expect(stripSpaces("   ")).toBe("");
});
