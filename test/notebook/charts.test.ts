import { describe, expect, test } from "vitest";
import { bars, chart, line, markedLine, panels, points } from "../../src/notebook/charts.ts";

describe("a series", () => {
  test("has the look of a method, of its own, or of its place among others", () => {
    expect(points("a", [1], [2], { like: "MeZO" })).toMatchObject({ marker: { color: "#D55E00", symbol: "square" } });
    expect(points("a", [1], [2], { like: "MeZO", color: "gray" })).toMatchObject({ marker: { color: "gray" } });
    expect(points("a", [1], [2]).marker).not.toHaveProperty("color");
    expect(line("a", [1], [2], { dash: "dot" })).toMatchObject({ mode: "lines", line: { dash: "dot" } });
    expect(markedLine("a", [1], [2], { like: "FT" })).toMatchObject({
      ...{ mode: "lines+markers", line: { color: "#0072B2" }, marker: { color: "#0072B2" } },
    });
  });

  test("has four digits, and bars of error along the axis that has numbers", () => {
    expect(points("a", [1], [1 / 3], { errors: [1 / 7] })).toMatchObject({
      ...{ y: [0.3333], error_y: { array: [0.1429] } },
    });
    expect(points("a", [1 / 3], ["MeZO"], { errors: [0.5] })).toMatchObject({
      ...{ x: [0.3333], y: ["MeZO"], error_x: { array: [0.5] } },
    });
  });
});

test("the range of a logarithmic axis is given in numbers", () => {
  const { layout } = chart([], { x: "step", y: { title: "loss", log: true, range: [0.01, 1] } });
  expect(layout).toMatchObject({ xaxis: { title: { text: "step" } }, yaxis: { type: "log", range: [-2, 0] } });
});

test("panels have axes of their own and are named once in the legend", () => {
  const one = chart([line("a", [1], [1])], { x: "n", y: "score" });
  const { data, layout } = panels([one, one], "side by side");
  expect(data).toMatchObject([
    { xaxis: "x", yaxis: "y", showlegend: true },
    { xaxis: "x2", yaxis: "y2", showlegend: false },
  ]);
  const { xaxis, xaxis2 } = layout as unknown as Record<string, { domain: [number, number] }>;
  expect(xaxis!.domain[1]).toBeLessThan(xaxis2!.domain[0]);
  const stacked = panels([one, one], "stacked").layout as unknown as Record<string, { domain: [number, number] }>;
  expect(stacked.yaxis!.domain[0]).toBeGreaterThan(stacked.yaxis2!.domain[1]);
});

test("bars stand in the order given, the first on top, each in its method's colour", () => {
  expect(bars(["Zero-shot", "FT (Adam)"], [1, 5], "MiB", ["Zero-shot", "FT"]).data).toMatchObject([
    { y: ["FT (Adam)", "Zero-shot"], x: [5, 1], marker: { color: ["#0072B2", "#000000"] } },
  ]);
});
