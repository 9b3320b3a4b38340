import { serve } from "../../src/measure/process.ts";
import { type GpuPart, measurePart } from "./gpuPart.ts";

serve((part: GpuPart) => measurePart(part));
