import { Writable } from "node:stream";
import { expect, test } from "vitest";
import { terminalProgress } from "../../src/report/progress.ts";

class Screen extends Writable {
  text = "";
  readonly isTTY: boolean;
  constructor(isTTY: boolean) {
    super({ decodeStrings: false });
    this.isTTY = isTTY;
  }
  override _write(chunk: string | Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

test("without a terminal a line comes at the end and at most every ten seconds before", () => {
  const screen = new Screen(false);
  let clock = 0;
  const { report, stop } = terminalProgress({ stream: screen, now: () => clock });
  for (let done = 0; done <= 50; done++) {
    clock = 500 * done;
    report({ label: "MeZO, seed 0", done, total: 50, loss: 1 - done / 100, ...(done === 50 && { dev: 0.682 }) });
  }
  stop();
  expect(screen.text.split("\n")).toEqual([
    "MeZO, seed 0 20/50, ETA 15 s, loss 0.800",
    "MeZO, seed 0 40/50, ETA 5 s, loss 0.600",
    "MeZO, seed 0 50/50, 25.0 s, loss 0.500, dev 68.2 %",
    "",
  ]);
});

test("a part keeps a time of its own, and may come again", () => {
  const screen = new Screen(false);
  let clock = 0;
  const { report } = terminalProgress({ stream: screen, now: () => clock });
  report({ label: "outer", done: 0, total: 2 });
  for (const start of [1000, 5000]) {
    clock = start;
    report({ label: "outer", part: "inner", done: 0, total: 1 });
    clock = start + 1500;
    report({ label: "outer", part: "inner", done: 1, total: 1 });
  }
  clock = 9000;
  report({ label: "outer", done: 2, total: 2 });
  expect(screen.text).toBe("outer: inner 1/1, 1.5 s\nouter: inner 1/1, 1.5 s\nouter 2/2, 9.0 s\n");
});

test("on a terminal every label has a bar with its count, ETA and note, and a finished one becomes a line", () => {
  const screen = new Screen(true);
  let clock = 0;
  const { report, stop } = terminalProgress({ stream: screen, now: () => clock });
  report({ label: "MeZO", done: 0, total: 10 });
  clock = 1000;
  report({ label: "MeZO", done: 5, total: 10, loss: 0.5 });
  expect(screen.text).toMatch(/MeZO =+-+ 5\/10 ETA \S+ loss 0\.500/);
  clock = 2000;
  report({ label: "MeZO", done: 10, total: 10, loss: 0.4 });
  stop();
  expect(screen.text).toContain("MeZO 10/10, 2.0 s, loss 0.400\n");
});

test("the display takes no signal handler and keeps no timer after its stop", () => {
  const before = process.listenerCount("SIGINT");
  const { report, stop } = terminalProgress({ stream: new Screen(true), now: () => 0 });
  report({ label: "ICL", done: 1, total: 2 });
  expect(process.listenerCount("SIGINT")).toBe(before);
  const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
  const during = timers();
  stop();
  expect(timers()).toBeLessThan(during);
});
