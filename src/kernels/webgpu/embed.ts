import { dispatch, flatGroups, output, type Shader, webgpuKernel } from "../../tensor/webgpu/dispatch.ts";
import { formatOf, type GpuFormat, loadWeight, weightType } from "../../tensor/webgpu/halves.ts";
import { declare, LANES, main } from "./rows.ts";

/** An invocation looks an element up, in a table of 16 bits too: it is never widened as a whole. */
const embed = (format: GpuFormat): Shader => ({
  name: `embed ${format}`,
  code: `${declare({ ids: "i32", table: weightType(format) }, { y: "f32" })}${loadWeight(format, "table")}${main(`
  let at = unit * ${LANES}u + lane;
  if (at >= params.size) { return; }
  y[at] = weightAt(u32(ids[at / params.width]) * params.width + at % params.width);`)}`,
});

webgpuKernel("Embed", ({ inputs }) => {
  const [ids, table] = [inputs.ids!, inputs.table!];
  const width = table.shape[1] ?? 1;
  const y = output([ids.shape[0]!, ...table.shape.slice(1)]);
  const size = ids.shape[0]! * width;
  dispatch(embed(formatOf(table)), {
    buffers: [ids, table, y],
    params: { size: { u32: size }, width: { u32: width } },
    groups: flatGroups(Math.ceil(size / LANES)),
  });
  return y;
});
