import { constantBuffer } from "../../tensor/webgpu/constants.ts";
import { dispatch, flatGroups, output, type Shader, webgpuKernel } from "../../tensor/webgpu/dispatch.ts";
import type { Angles } from "../rotary.ts";
import { declare, LANES, main } from "./rows.ts";

/** An invocation turns a pair. */
const ROTARY: Shader = {
  name: "rotary",
  code: `${declare({ x: "f32", cosines: "f32", sines: "f32" }, { y: "f32" })}${main(`
  let at = unit * ${LANES}u + lane;
  if (at >= params.size) { return; }
  let i = at % params.pairs;
  let first = 2u * (at - i) + i;
  let second = first + params.pairs;
  let angle = at / params.turned * params.pairs + i;
  let turn = vec2<f32>(cosines[angle], sines[angle]);
  y[first] = x[first] * turn.x - x[second] * turn.y;
  y[second] = x[second] * turn.x + x[first] * turn.y;`)}`,
};

webgpuKernel("Rotary", ({ inputs, attrs }) => {
  const x = inputs.x!;
  const { cos, sin, pairs } = attrs.angles as Angles;
  const [rows, width] = x.shape as [number, number];
  const y = output(x.shape);
  const size = (rows * width) / 2;
  dispatch(ROTARY, {
    buffers: [x, constantBuffer(cos), constantBuffer(sin), y],
    params: { size: { u32: size }, pairs: { u32: pairs }, turned: { u32: width / 2 } },
    groups: flatGroups(Math.ceil(size / LANES)),
  });
  return y;
});
