import { useBackend } from "../src/tensor/backend.ts";
import { BACKEND } from "./backend.ts";

/** Ends the run at once where the backend that MEZO_BACKEND names does not exist or is not here. */
export async function setup(): Promise<void> {
  if (BACKEND === "native") return;
  await useBackend(BACKEND).catch((error: Error) => {
    error.stack = error.message;
    throw error;
  });
}
