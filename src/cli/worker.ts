import { Command } from "commander";
import type { KitError } from "../error.ts";
import { withoutUndefined } from "../measure/makeRequest.ts";
import type { MeasureRequest } from "../measure/request.ts";
import { BUNDLED_MODEL, loadModel } from "../models/load.ts";
import type { LanguageModel } from "../models/network.ts";
import { terminalProgress } from "../report/progress.ts";
import { useBackend } from "../tensor/backend.ts";
import { abortOnSignals } from "./interrupt.ts";
import { addMachine, addModel } from "./options.ts";

type Machine = "model" | "revision" | "backend" | "threads" | "products" | "weights" | "rounding" | "untied";

interface WorkerOptions extends Pick<MeasureRequest, Machine> {
  readonly cluster: string;
  readonly run?: string;
  readonly once: boolean;
}

const EXAMPLES = `
Examples:
  nats-server -js                                                        on one machine
  npx mezo tune --task SST-2 --cluster nats://host --shards 4            on one machine, any time before or after the others
  npx mezo worker --cluster nats://host                                  on as many machines as there are

Who logs in to the server says how by NATS_CREDS, NATS_TOKEN, NATS_CA, NATS_CERT and NATS_KEY, or nats://user:password@host.`;

/** The command that computes losses, or whole runs of a table, for other machines. */
export function makeWorkerCommand(): Command {
  const parser = new Command("worker")
    .description(
      "Computes the losses of runs that mezo tune --cluster has begun on other machines, and whole runs of the tables of npm start -- --cluster, until it is stopped. It needs their base model and nothing of their data, and may come and go at any time.",
    )
    .summary("computes losses and runs for other machines")
    .requiredOption("--cluster <address>", "the NATS server that connects the machines, nats://host:4222")
    .option("--run <name>", "works for the run of that name alone, until it ends")
    .option("--once", "ends after the first run that ends", false);
  addModel(parser);
  addMachine(parser);
  return parser.addHelpText("after", EXAMPLES).action((options: WorkerOptions) => workFor(options));
}

async function workFor({ cluster, run, once, ...machine }: WorkerOptions): Promise<void> {
  const { model: id = BUNDLED_MODEL, revision, backend, threads, products, weights, rounding, untied } = machine;
  const [{ natsPort }, { work }, { openJobWorker, serveTable }] = await Promise.all([
    import("../cluster/join.ts"),
    import("../cluster/worker.ts"),
    import("../measure/clusterJobs.ts"),
  ]);
  const signal = abortOnSignals();
  const progress = terminalProgress();
  const onProgress = progress.report;
  const port = await natsPort(cluster);
  try {
    await useBackend(backend, { threads, products });
    const own = withoutUndefined({ model: id, revision, backend, threads, products });
    const jobs = await openJobWorker(own, { untied, onProgress, signal });
    let model: LanguageModel | undefined;
    const load = async (): Promise<LanguageModel> => {
      model = await loadModel(id, { revision, weights, rounding, untied, onProgress });
      return model;
    };
    const onRefused = ({ message }: KitError): void => void process.stderr.write(`${message}\n`);
    await work(load, port, {
      ...{ once, signal, onProgress, onRefused, serveTable: (table) => serveTable(port, table, jobs) },
      ...(run !== undefined && { run }),
    });
    model?.dispose();
  } finally {
    progress.stop();
    await port.close();
  }
  process.exit(); // a GPU's driver would keep the process alive
}
