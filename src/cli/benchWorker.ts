import { type BenchRequest, benchStep } from "./benchStep.ts";

process.once("message", async (request: BenchRequest) => {
  process.send?.(await benchStep(request), () => process.disconnect());
});
