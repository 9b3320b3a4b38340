import { afterEach, expect, test, vi } from "vitest";
import type { MimeBundle } from "../../src/notebook/display.ts";
import { liveProgress } from "../../src/notebook/live.ts";

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

test("the time left goes by the steps since the work was gone on with, scores between them included", () => {
  vi.useFakeTimers();
  const onProgress = liveProgress();
  const told = (label: string, done: number, total: number, note?: string): void => {
    onProgress({ label, done, total, ...(note && { note }) });
    vi.advanceTimersByTime(1000);
  };
  for (let step = 41; step <= 50; step++) told("MeZO", step, 60, `loss 0.${step}`);
  for (const done of [64, 128]) told("MeZO: dev", done, 128);
  told("MeZO", 51, 60, "loss 0.51");
  told("MeZO: dev", 64, 128);
  expect(lines[0]).toMatch(/^MeZO {2}█+░+ {2}41\/60 {2}loss 0\.41$/);
  expect(lines[9]).toMatch(/50\/60 {2}ETA 10 s {2}loss 0\.50? {2}▁.*█$/);
  expect(lines[11]).toMatch(/^MeZO: dev {2}█+ {2}128\/128 {2}1 s {2}▁.*█$/);
  expect(lines[12]).toMatch(/51\/60 {2}ETA 11 s/);
  expect(lines[13]).toMatch(/^MeZO: dev {2}█+░+ {2}64\/128 {2}▁.*█$/);
});
