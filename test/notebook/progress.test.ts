import { afterEach, expect, test, vi } from "vitest";
import type { MimeBundle } from "../../src/notebook/display.ts";
import { liveProgress } from "../../src/notebook/live.ts";
import type { ProgressEvent } from "../../src/tensor/progress.ts";

const { lines } = vi.hoisted(() => ({ lines: [] as unknown[] }));
vi.mock("../../src/notebook/display.ts", async (original) => {
  const replace = (bundle: MimeBundle): void => void lines.push(bundle["text/plain"]);
  return {
    ...(await original<typeof import("../../src/notebook/display.ts")>()),
    display: (bundle: MimeBundle) => {
      replace(bundle);
      return { replace };
    },
  };
});

afterEach(() => {
  vi.useRealTimers();
  lines.length = 0;
});

test("the time left goes by the steps since the work was resumed, scores between them included", () => {
  vi.useFakeTimers();
  const onProgress = liveProgress();
  const report = (event: Omit<ProgressEvent, "label">): void => {
    onProgress({ label: "MeZO", ...event });
    vi.advanceTimersByTime(1000);
  };
  for (let step = 41; step <= 50; step++) report({ done: step, total: 60, loss: step / 100 });
  for (const done of [64, 128]) report({ part: "dev", done, total: 128 });
  report({ done: 51, total: 60, loss: 0.51 });
  report({ part: "dev", done: 64, total: 128 });
  expect(lines[0]).toMatch(/^MeZO {2}█+░+ {2}41\/60 {2}loss 0\.410$/);
  expect(lines[9]).toMatch(/50\/60 {2}ETA 10 s {2}loss 0\.500 {2}▁.*█$/);
  expect(lines[11]).toMatch(/^MeZO: dev {2}█+ {2}128\/128 {2}1 s {2}▁.*█$/);
  expect(lines[12]).toMatch(/51\/60 {2}ETA 11 s/);
  expect(lines[13]).toMatch(/^MeZO: dev {2}█+░+ {2}64\/128 {2}▁.*█$/);
});

test("runs that are made at the same time have a line each, until they end", () => {
  vi.useFakeTimers();
  const onProgress = liveProgress();
  const report = (label: string, done: number): void => {
    onProgress({ label, done, total: 4 });
    vi.advanceTimersByTime(1000);
  };
  report("MeZO seed 1", 1);
  report("MeZO seed 2", 2);
  expect(lines.at(-1)).toMatch(/^MeZO seed 1 .*1\/4\nMeZO seed 2 .*2\/4$/);
  report("MeZO seed 1", 4);
  expect(lines.at(-1)).toMatch(/^MeZO seed 1 .*4\/4 {2}2 s\nMeZO seed 2 .*2\/4$/);
  report("MeZO seed 2", 3);
  expect(lines.at(-1)).toMatch(/^MeZO seed 2 .*3\/4 {2}ETA \d+ s$/);
});
