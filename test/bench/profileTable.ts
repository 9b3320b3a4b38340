import { numberColumns, toMarkdown } from "../../src/report/table.ts";
import { benchModels } from "./models.ts";
import type { Operation } from "./operations.ts";
import type { Profile } from "./profile.ts";
import type { CaseRequest } from "./request.ts";

/** Operations that take less of a step than this stand together in one row. */
const LEAST_SHARE = 0.002;

/** A profile as a Markdown table. */
export function profileText(request: CaseRequest, profile: Profile): string {
  const { rows, tokens, threads, noise, steps, model, method } = request;
  const { stepSeconds, noiseSeconds, restSeconds } = profile;
  const share = (seconds: number): number => seconds / stepSeconds;
  const shown = profile.operations.filter(({ seconds }) => share(seconds) >= LEAST_SHARE);
  const others = profile.operations.filter((operation) => !shown.includes(operation));
  const sum = (of: (operation: Operation) => number): number => others.reduce((total, one) => total + of(one), 0);
  const small = {
    name: `${others.length} others, each under ${100 * LEAST_SHARE} %`,
    calls: sum(({ calls }) => calls),
    seconds: sum(({ seconds }) => seconds),
  };
  const cells = (name: string, calls: string, seconds: number, gflops: string): string[] => [
    ...[name, calls, (1e3 * seconds).toFixed(1), gflops],
    `${(100 * share(seconds)).toFixed(1)} %`,
  ];
  const table = toMarkdown({
    columns: numberColumns(["operation", "calls", "ms", "GFLOPS", "share"]),
    rows: [
      ...[...shown, ...(others.length > 0 ? [small] : [])].map((operation) =>
        cells(operation.name, `${Math.round(operation.calls)}`, operation.seconds, gflopsOf(operation)),
      ),
      cells("noise", "", noiseSeconds, ""),
      cells("the rest: JavaScript", "", restSeconds, ""),
      cells("**step**", "", stepSeconds, ""),
    ],
  });
  return [
    `One step of ${method}, ${benchModels[model]!.title}, ${rows} rows x ${tokens} tokens, ${threads} threads, ${noise} noise; mean of ${steps}:`,
    "",
    table,
  ].join("\n");
}

const gflopsOf = ({ flops, seconds }: Operation): string =>
  flops === undefined ? "" : (flops / seconds / 1e9).toFixed(0);
