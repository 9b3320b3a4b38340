import type { NodeBackend } from "./operations.ts";
import { DTYPE } from "./operations.ts";

/** How TensorFlow.js's own kernels run an operation, and how the backend reads. */
interface StockBackend extends NodeBackend {
  getInputTensorIds(tensors: readonly { readonly dataId?: object }[]): number[];
  executeSingleOutput(...of: unknown[]): unknown;
  executeMultipleOutputs(...of: unknown[]): unknown;
  readSync(dataId: object): unknown;
}

const changed = new WeakSet<object>();

/** Has TensorFlow.js's own kernels, and who reads, see float32 in place of 16 bits: widened for the one operation and then freed. */
export function widenInputs(backend: object): void {
  if (changed.has(backend)) return;
  changed.add(backend);
  const stock = backend as StockBackend;
  const { getInputTensorIds, executeSingleOutput, executeMultipleOutputs, readSync } = stock;
  let widened: number[] = [];
  const widen = (id: number): number => {
    const to = { name: "DstT", type: stock.binding.TF_ATTR_TYPE!, value: DTYPE.float32 };
    widened.push(stock.binding.executeOp("Cast", [to], [id], 1)[0]!.id);
    return widened.at(-1)!;
  };
  const isHalf = (dataId: object): boolean => {
    const { dtype } = stock.tensorMap.get(dataId);
    return dtype === DTYPE.float16 || dtype === DTYPE.bfloat16;
  };
  const freeing =
    <Given extends unknown[], Result>(run: (...of: Given) => Result) =>
    (...of: Given): Result => {
      try {
        return run.apply(stock, of);
      } finally {
        for (const id of widened) stock.binding.deleteTensor(id);
        widened = [];
      }
    };
  Object.assign(stock, {
    getInputTensorIds: (tensors: readonly { readonly dataId?: object }[]) =>
      getInputTensorIds
        .call(stock, tensors)
        .map((id, i) => (tensors[i]!.dataId && isHalf(tensors[i]!.dataId!) ? widen(id) : id)),
    executeSingleOutput: freeing(executeSingleOutput),
    executeMultipleOutputs: freeing(executeMultipleOutputs),
    readSync: freeing((dataId: object) =>
      isHalf(dataId)
        ? stock.binding.tensorDataSync(widen(stock.tensorMap.get(dataId).id))
        : readSync.call(stock, dataId),
    ),
  });
}
