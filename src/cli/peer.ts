import { spawnSync } from "node:child_process";
import { KitError } from "../error.ts";

/** What another program's measurement must print as its last line: the fields that a PyTorch baseline reports. */
export interface PeerResult {
  readonly step_s: number;
  readonly forward_s?: number;
  readonly sweep_s?: number;
  readonly peak_rss_mb: number;
}

/** Runs another program's measurement by the shell. Throws a KitError where its last line is not what a `PeerResult` needs. */
export function measurePeer(command: string): PeerResult {
  const { stdout, stderr, status } = spawnSync(command, { shell: true, encoding: "utf8", maxBuffer: 2 ** 28 });
  const last = stdout.trim().split("\n").at(-1) ?? "";
  const result = peerResult(last);
  if (result) return result;
  throw new KitError(
    `--against: the command's last line must be JSON with the numbers step_s and peak_rss_mb, but it ended with ${status} and the line is "${last.slice(0, 80)}": ${stderr.trim().split("\n").at(-1) ?? ""}`,
  );
}

/** Returns the measurement that a line of JSON holds, or undefined where a field is missing or no finite number. */
function peerResult(line: string): PeerResult | undefined {
  const { step_s, peak_rss_mb, forward_s, sweep_s } = fieldsOf(line);
  if (!isNumber(step_s) || !isNumber(peak_rss_mb)) return undefined;
  if (![forward_s, sweep_s].every((seconds) => seconds === undefined || isNumber(seconds))) return undefined;
  return { step_s, peak_rss_mb, forward_s, sweep_s } as PeerResult;
}

const isNumber = (value: unknown): value is number => Number.isFinite(value);

function fieldsOf(line: string): Record<string, unknown> {
  try {
    return (JSON.parse(line) ?? {}) as Record<string, unknown>;
  } catch {
    return {};
  }
}
