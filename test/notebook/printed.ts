import { vi } from "vitest";

/** What a cell prints outside a kernel. */
export function printed(work: () => void): string {
  const texts: string[] = [];
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    texts.push(String(text));
    return true;
  });
  work();
  vi.restoreAllMocks();
  return texts.join("");
}
