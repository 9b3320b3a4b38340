import { dispatch, flatGroups, output, type Shader, webgpuKernel } from "../../tensor/webgpu/dispatch.ts";
import { declare, LANES, main } from "./rows.ts";

/** An invocation looks an element up. */
const EMBED: Shader = {
  name: "embed",
  code: `${declare({ ids: "i32", table: "f32" }, { y: "f32" })}${main(`
  let at = unit * ${LANES}u + lane;
  if (at >= params.size) { return; }
  y[at] = table[u32(ids[at / params.width]) * params.width + at % params.width];`)}`,
};

webgpuKernel("Embed", ({ inputs }) => {
  const [ids, table] = [inputs.ids!, inputs.table!];
  const width = table.shape[1] ?? 1;
  const y = output([ids.shape[0]!, ...table.shape.slice(1)]);
  const size = ids.shape[0]! * width;
  dispatch(EMBED, {
    buffers: [ids, table, y],
    params: { size: { u32: size }, width: { u32: width } },
    groups: flatGroups(Math.ceil(size / LANES)),
  });
  return y;
});
