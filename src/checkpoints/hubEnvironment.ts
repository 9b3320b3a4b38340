import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { KitError } from "../error.ts";

/** The address of the hub, without a slash at its end: $HF_ENDPOINT or huggingface.co. Throws a KitError for what is no address. */
export function hubAddress(): string {
  const address = process.env.HF_ENDPOINT || "https://huggingface.co";
  if (!/^https?:\/\//.test(address) || !URL.canParse(address))
    throw new KitError(
      `HF_ENDPOINT is "${address}" where the hub's address belongs, such as https://huggingface.co; correct it or unset it.`,
    );
  return address.replace(/\/+$/, "");
}

/** Whether the user has forbidden requests to the hub, by the variables that the Hugging Face libraries heed. */
export function isOffline(): boolean {
  return isOn("HF_HUB_OFFLINE") || isOn("TRANSFORMERS_OFFLINE");
}

const isOn = (variable: string): boolean => /^(1|on|yes|true)$/i.test(process.env[variable] ?? "");

/** The folder that the Hugging Face libraries cache models in: $HF_HUB_CACHE, $HF_HOME/hub or ~/.cache/huggingface/hub. */
export function hubCacheFolder(): string {
  const { HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE } = process.env;
  return expanded(HF_HUB_CACHE || HUGGINGFACE_HUB_CACHE || join(hubHome(), "hub"));
}

function hubHome(): string {
  const { HF_HOME, XDG_CACHE_HOME } = process.env;
  return expanded(HF_HOME || join(XDG_CACHE_HOME || join(homedir(), ".cache"), "huggingface"));
}

const expanded = (path: string): string => path.replace(/^~(?=$|[\\/])/, () => homedir());

/** A secret that the hub knows its user by, and where it was found. */
export interface HubToken {
  readonly secret: string;
  readonly from: string;
}

/** The user's token, where there is one: $HF_TOKEN, or the file that `hf auth login` writes. Throws a KitError for what is none. */
export function hubToken(): HubToken | undefined {
  if (isOn("HF_HUB_DISABLE_IMPLICIT_TOKEN")) return undefined;
  const file = expanded(process.env.HF_TOKEN_PATH || join(hubHome(), "token"));
  const stored = () => (existsSync(file) ? { secret: readFileSync(file, "utf8").trim(), from: file } : undefined);
  const given = process.env.HF_TOKEN?.trim();
  const token = given ? { secret: given, from: "HF_TOKEN" } : stored();
  if (!token?.secret) return undefined;
  if (!/^[\x21-\x7e]+$/.test(token.secret))
    throw new KitError(`The token in ${token.from} has characters that no token has; copy it again from the hub.`);
  return token;
}

/** How long the hub may send nothing before it is asked again, where $HF_HUB_DOWNLOAD_TIMEOUT names no other time. */
const SILENCE_SECONDS = 30;

/** Seconds without a byte from the hub after which a request is given up. */
export function silenceLimit(): number {
  const seconds = Number(process.env.HF_HUB_DOWNLOAD_TIMEOUT);
  return seconds > 0 && seconds < 86_400 ? seconds : SILENCE_SECONDS;
}
