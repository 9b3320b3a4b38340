/** Python's white space: unlike JavaScript's, with U+001C to U+001F and U+0085, and without U+FEFF. */
const SPACE = "[\\p{White_Space}\\u001c-\\u001f]+";
const LEFT = new RegExp(`^${SPACE}`, "u");
const RIGHT = new RegExp(`${SPACE}$`, "u");
const BETWEEN = new RegExp(SPACE, "u");

/** The text without white space at its ends, as Python's str.strip(). */
export function strip(text: string): string {
  return leftStrip(text).replace(RIGHT, "");
}

/** The text without white space at its start, as Python's str.lstrip(). */
export function leftStrip(text: string): string {
  return text.replace(LEFT, "");
}

/** The text without spaces at its ends; other white space stays, as with Python's str.strip(" "). */
export function stripSpaces(text: string): string {
  return text.replace(/^ +| +$/g, "");
}

/** The text without white space at its end, as Python's str.rstrip(). */
export function rightStrip(text: string): string {
  return text.replace(RIGHT, "");
}

/** The pieces of a text between white space, as Python's str.split(). */
export function splitSpace(text: string): string[] {
  return text.split(BETWEEN).filter((piece) => piece !== "");
}
