import { tensorflowKernel } from "../../tensor/tensorflow/operations.ts";
import { cast, gather } from "./arithmetic.ts";

tensorflowKernel("Embed", ({ inputs }) => cast(gather(inputs.table!, inputs.ids!), "float32"));
