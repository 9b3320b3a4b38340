// Every model family; adding one adds a line.

export { llama } from "./llama.ts";
export { opt } from "./opt.ts";
export { roberta } from "./roberta.ts";
