// Every model family; adding one adds a line.

export { bert } from "./bert.ts";
export { gpt2 } from "./gpt2.ts";
export { llama } from "./llama.ts";
export { mistral } from "./mistral.ts";
export { opt } from "./opt.ts";
export { qwen2 } from "./qwen2.ts";
export { qwen3 } from "./qwen3.ts";
export { roberta } from "./roberta.ts";
