import { InvalidArgumentError } from "commander";
import { methods } from "../report/methods.ts";

/** Values that the command line gives for methods: one for all (under "all"), or one for each that is named. */
export type PerMethod = Readonly<Record<string, number>>;

/** The method of that name, whatever its case and punctuation: "mezo-lora" is MeZO (LoRA). */
export function methodNamed(name: string): string | undefined {
  const plain = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]/g, "");
  return methods.find((method) => plain(method) === plain(name));
}

/** Reads "1e-6", or "mezo=1e-6,ft=1e-5", each value by `read`. */
export function perMethod(read: (text: string) => number): (text: string) => PerMethod {
  return (text) => {
    if (!text.includes("=")) return { all: read(text) };
    return Object.fromEntries(
      text.split(",").map((part) => {
        const [name = "", value = ""] = part.split("=");
        const method = methodNamed(name);
        if (!method) throw new InvalidArgumentError(`${name.trim()} is no method: name ${methods.join(", ")}.`);
        return [method, read(value)];
      }),
    );
  };
}

/** The value for a method, where one was given. */
export function valueFor(values: PerMethod | undefined, method: string): number | undefined {
  return values?.[method] ?? values?.all;
}
