import { describe, expect, test } from "vitest";
import { median } from "../../src/cli/median.ts";
import { measurePeer } from "../../src/cli/peer.ts";

describe("another program's measurement", () => {
  test("is the JSON of its last line", () => {
    const peer = measurePeer(`echo loading; echo '{"step_s": 2.5, "peak_rss_mb": 900, "device": "cpu"}'`);
    expect(peer).toMatchObject({ step_s: 2.5, peak_rss_mb: 900 });
  });

  test.each([
    ["no JSON", "echo done"],
    ["null", "echo null"],
    ["without the peak", `echo '{"step_s": 2.5}'`],
    ["with a text for a number", `echo '{"step_s": "2.5", "peak_rss_mb": 900}'`],
    ["with null for a number", `echo '{"step_s": 2.5, "peak_rss_mb": 900, "sweep_s": null}'`],
    ["nothing", "exit 3"],
  ])("whose last line is %s is refused", (_what, command) => {
    expect(() => measurePeer(command)).toThrow(/last line must be JSON with the numbers step_s and peak_rss_mb/);
  });
});

test("the median is the value in the middle, whatever the order, and leaves the list as it was", () => {
  const values = [30, 4, 100];
  expect(median(values)).toBe(30);
  expect(values).toEqual([30, 4, 100]);
});
