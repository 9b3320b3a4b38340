import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { mergedStreams, type StreamName, writer } from "../../src/cli/notebooks/streams.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => void vi.useRealTimers());

/** Merged streams and the messages that they send. */
function sending() {
  const messages: { name: StreamName; text: string }[] = [];
  return { messages, ...mergedStreams((name, text) => void messages.push({ name, text })) };
}

const textOf = (messages: readonly { name: StreamName; text: string }[], name: StreamName): string =>
  messages.flatMap((message) => (message.name === name ? [message.text] : [])).join("");

const lines = (count: number): string[] => Array.from({ length: count }, (_, i) => `line ${i}\n`);

test("3,000 lines in one turn are five messages, and 100,000 lines few, with nothing lost", () => {
  for (const [count, most] of [
    [3000, 5],
    [100_000, 25],
  ] as const) {
    const { messages, write, flush } = sending();
    for (const line of lines(count)) write("stdout", line);
    flush();
    expect(messages.map(({ text }) => text).join("")).toBe(lines(count).join(""));
    expect(messages.length).toBeLessThanOrEqual(most);
  }
});

test("the first lines are sent at once, so that they are seen during what comes after them", () => {
  const { messages, write } = sending();
  write("stdout", "loading\n");
  write("stdout", "10 %\r");
  expect(messages.map(({ text }) => text)).toEqual(["loading\n", "10 %\r"]);
});

test("what waits is sent within 100 ms, once", () => {
  const { messages, write } = sending();
  for (const line of lines(6)) write("stdout", line);
  expect(messages).toHaveLength(4);
  vi.advanceTimersByTime(100);
  expect(messages.at(-1)).toEqual({ name: "stdout", text: "line 4\nline 5\n" });
  vi.advanceTimersByTime(1000);
  expect(messages).toHaveLength(5);
});

test("a loop that never ends its turn, and lets no timer in, is live all the same", () => {
  const clock = vi.spyOn(performance, "now").mockReturnValue(0);
  const { messages, write } = sending();
  for (const line of lines(6)) write("stdout", line);
  clock.mockReturnValue(100);
  write("stdout", "later\n");
  expect(messages.at(-1)).toEqual({ name: "stdout", text: "line 4\nline 5\nlater\n" });
  clock.mockRestore();
});

test("64 KB are sent at once", () => {
  const { messages, write } = sending();
  for (const line of lines(4)) write("stdout", line);
  write("stdout", "y".repeat(2 ** 16 - 1));
  expect(messages).toHaveLength(4);
  write("stdout", "y");
  expect(messages.at(-1)?.text).toHaveLength(2 ** 16);
});

test("both streams come in the order of the writes", () => {
  const { messages, write, flush } = sending();
  for (const line of lines(100)) {
    write("stdout", line);
    write("stderr", line);
    write("stderr", line);
  }
  flush();
  expect(messages.slice(4).map(({ name }) => name)).toEqual(
    Array.from(
      { length: messages.length - 4 },
      (_, i) => ["stdout", "stderr"][(messages[4]!.name === "stdout" ? i : i + 1) % 2],
    ),
  );
  expect(messages.map(({ text }) => text).join("")).toBe(
    lines(100)
      .flatMap((line) => [line, line, line])
      .join(""),
  );
});

test("changing between the streams without end loses nothing and stays a few hundred messages", () => {
  const { messages, write, flush } = sending();
  for (const line of lines(20_000)) {
    write("stdout", line);
    write("stderr", line);
  }
  flush();
  for (const name of ["stdout", "stderr"] as const) expect(textOf(messages, name)).toBe(lines(20_000).join(""));
  expect(messages.length).toBeLessThan(600);
});

test("bytes are UTF-8, characters that are cut in two are put together again, and the callback is called", async () => {
  const texts: string[] = [];
  const write = writer((text) => void texts.push(text));
  const euro = Buffer.from("€");
  write(euro.subarray(0, 2));
  write(euro.subarray(2));
  await new Promise<void>((done) => write("end", "utf8", () => done()));
  expect(texts.join("")).toBe("€end");
});
