import { dispatch, flatGroups, output, webgpuKernel } from "../../tensor/webgpu/dispatch.ts";
import type { Activation } from "../elementwise.ts";
import { declare, LANES, main } from "./rows.ts";

const gelu = `
  let t = 1.0 / (1.0 + ${0.3275911 * Math.SQRT1_2} * abs(v));
  let tail = 0.5 * exp(-0.5 * v * v) * t *
    (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return v * select(1.0 - tail, tail, v < 0.0);`;

/** An exponent beyond which a sigmoid is 0 in float32, and exp not yet infinite. */
const FAR = "87.0";
const sigmoid = (of: string): string => `return v / (1.0 + exp(min(-(${of}), ${FAR})));`;

/** The statements that return the activation of v; the normal distribution function is Abramowitz and Stegun's 7.1.26. */
const ACTIVATIONS: Readonly<Record<Activation, string>> = {
  relu: "return max(v, 0.0);",
  gelu,
  gelu_new: sigmoid(`v * (${2 * Math.sqrt(2 / Math.PI)} + ${2 * Math.sqrt(2 / Math.PI) * 0.044715} * v * v)`),
  silu: sigmoid("v"),
};

/** WGSL's function `activate`. */
export const activateFunction = (activation: Activation): string =>
  `fn activate(v : f32) -> f32 { ${ACTIVATIONS[activation]} }`;

const shader = (activation: Activation): string => `${declare({ x: "f32" }, { y: "f32" })}
${activateFunction(activation)}${main(`
  let at = unit * ${LANES}u + lane;
  if (at < params.size) { y[at] = activate(x[at]); }`)}`;

webgpuKernel("Activation", ({ inputs, attrs }) => {
  const [x, activation] = [inputs.x!, attrs.activation as Activation];
  const size = x.shape.reduce((a, b) => a * b, 1);
  const y = output(x.shape);
  dispatch(
    { name: `activation ${activation}`, code: shader(activation) },
    { buffers: [x, y], params: { size: { u32: size } }, groups: flatGroups(Math.ceil(size / LANES)) },
  );
  return y;
});
