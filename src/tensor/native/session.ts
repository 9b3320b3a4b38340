import { availableParallelism } from "node:os";
import { encodeModel, FLOAT, type Graph, INT32 } from "./onnx.ts";
import { check, makeNames, type Names, ort, type Pointer, receiveAddress } from "./ort.ts";

/** A graph input or output: values, which ONNX Runtime reads or writes where they are, and their shape. */
export interface View {
  readonly values: Float32Array | Int32Array;
  readonly shape: readonly number[];
}

/** A graph that ONNX Runtime holds, and the names that runs of it have used. */
interface Session {
  readonly address: Pointer;
  readonly names: Map<string, Names>;
}

const sessions = new Map<string, Session>();
let threads = availableParallelism();

/** Sets how many threads a graph may use; existing sessions are built again. */
export function setThreads(count: number): void {
  if (count === threads) return;
  threads = count;
  for (const { address } of sessions.values()) ort().releaseSession(address);
  sessions.clear();
}

/** How many threads a graph may use. */
export function threadCount(): number {
  return threads;
}

/** The log level: errors are thrown, so they need not be printed too. */
const FATAL = 4;
const ARENA_ALLOCATOR = 1;
const DEFAULT_MEMORY = 0;

interface Runtime {
  readonly environment: Pointer;
  /** Says that a tensor's values lie in this process's memory. */
  readonly memory: Pointer;
}

let runtime: Runtime | undefined;

function startRuntime(): Runtime {
  runtime ??= {
    environment: receiveAddress((place) => ort().createEnv(FATAL, "mezo-kit", place)),
    memory: receiveAddress((place) => ort().createCpuMemoryInfo(ARENA_ALLOCATOR, DEFAULT_MEMORY, place)),
  };
  return runtime;
}

function sessionFor(name: string, build: () => Graph): Session {
  const known = sessions.get(name);
  if (known) return known;
  const session = { address: newSession(encodeModel(build())), names: new Map<string, Names>() };
  sessions.set(name, session);
  return session;
}

function newSession(model: Uint8Array): Pointer {
  const { environment } = startRuntime();
  const options = receiveAddress((place) => ort().createSessionOptions(place));
  try {
    check(ort().setIntraOpNumThreads(options, threads));
    // Every session owns a thread pool, and pools that spin while they wait take the cores from one another.
    check(ort().addSessionConfigEntry(options, "session.intra_op.allow_spinning", "0"));
    return receiveAddress((place) =>
      ort().createSessionFromArray(environment, model, model.byteLength, options, place),
    );
  } finally {
    ort().releaseSessionOptions(options);
  }
}

let milliseconds = 0;

/** Seconds spent inside ONNX Runtime since the process began: what a profile compares with the time of a forward pass. */
export function secondsInGraphs(): number {
  return milliseconds / 1e3;
}

/** One run of a graph: the shapes of its inputs and outputs by name. */
export interface GraphRun {
  readonly name: string;
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly seconds: number;
}

let graphListener: ((run: GraphRun) => void) | undefined;

/** Calls `listener` for every graph that runs during `work`. */
export async function profileGraphs<T>(listener: (run: GraphRun) => void, work: () => Promise<T>): Promise<T> {
  const outer = graphListener;
  graphListener = listener;
  try {
    return await work();
  } finally {
    graphListener = outer;
  }
}

const listShapes = (views: Readonly<Record<string, View>>): GraphRun["shapes"] =>
  Object.fromEntries(Object.entries(views).map(([key, { shape }]) => [key, shape]));

const shape64 = new BigInt64Array(8);
const place = new BigUint64Array(1);

/** ONNX Runtime's tensor over values in place; to be released. */
function wrapView({ values, shape }: View): Pointer {
  shape.forEach((size, i) => {
    shape64[i] = BigInt(size);
  });
  const type = values instanceof Int32Array ? INT32 : FLOAT;
  const { memory } = startRuntime();
  check(ort().createTensorWithData(memory, values, values.byteLength, shape64, shape.length, type, place));
  return place[0]!;
}

type Views = Readonly<Record<string, View>>;

/**
 * Runs a graph synchronously. `name` identifies the graph, which `build` makes once; `feeds` and `fetches` go by the names of its
 * inputs and outputs. Nothing is copied: inputs are read and outputs written in place.
 */
export function runGraph(name: string, build: () => Graph, feeds: Views, fetches: Views): void {
  const session = sessionFor(name, build);
  const before = performance.now();
  withTensors(feeds, (inputs) => withTensors(fetches, (outputs) => run(session, [feeds, inputs], [fetches, outputs])));
  const taken = performance.now() - before;
  milliseconds += taken;
  graphListener?.({ name, shapes: listShapes({ ...feeds, ...fetches }), seconds: taken / 1e3 });
}

type Bound = readonly [views: Views, tensors: BigUint64Array];

function run({ address, names }: Session, [feeds, inputs]: Bound, [fetches, outputs]: Bound): void {
  const [from, to] = [feeds, fetches].map((views) => findNames(names, Object.keys(views)).addresses);
  check(ort().run(address, null, from!, inputs, inputs.length, to!, outputs.length, outputs));
}

function findNames(known: Map<string, Names>, keys: readonly string[]): Names {
  const key = keys.join(" ");
  const found = known.get(key);
  if (found) return found;
  const names = makeNames(keys);
  known.set(key, names);
  return names;
}

/** Calls `use` with the tensors of views, and releases them. */
function withTensors(views: Views, use: (tensors: BigUint64Array) => void): void {
  const all = Object.values(views);
  const tensors = new BigUint64Array(all.length);
  try {
    all.forEach((view, i) => {
      tensors[i] = wrapView(view);
    });
    use(tensors);
  } finally {
    for (const each of tensors) if (each) ort().releaseValue(each);
  }
}
