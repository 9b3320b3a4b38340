import { availableParallelism } from "node:os";
import { env, Tensor } from "onnxruntime-node";
// The synchronous call under InferenceSession.run, which is asynchronous in form only. Not a documented path: the version is pinned.
import { type Binding, binding, initOrt } from "onnxruntime-node/dist/binding.js";
import { encodeModel, type Graph } from "./onnx.ts";

/** A graph input or output: values, which ONNX Runtime reads or writes where they are, and their shape. */
export interface View {
  readonly values: Float32Array | Int32Array;
  readonly shape: readonly number[];
}

const sessions = new Map<string, Binding.InferenceSession>();
let threads = availableParallelism();

/** Sets how many threads a graph may use; graphs made before are made again. */
export function setThreads(count: number): void {
  if (count === threads) return;
  threads = count;
  for (const session of sessions.values()) session.dispose();
  sessions.clear();
}

/** How many threads a graph may use. */
export function threadCount(): number {
  return threads;
}

/** Every session owns a thread pool, and pools that spin while they wait take the cores from one another: spinning is off. */
const options = (): object => ({
  executionProviders: ["cpu"],
  intraOpNumThreads: threads,
  interOpNumThreads: 1,
  extra: { session: { intra_op: { allow_spinning: "0" } } },
});

function sessionFor(name: string, build: () => Graph): Binding.InferenceSession {
  const known = sessions.get(name);
  if (known) return known;
  env.logLevel = "fatal"; // what fails is thrown, and need not be printed too
  initOrt();
  const session = new binding.InferenceSession();
  const { buffer, byteOffset, byteLength } = encodeModel(build());
  session.loadModel(buffer as ArrayBuffer, byteOffset, byteLength, options());
  sessions.set(name, session);
  return session;
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

let heard: ((run: GraphRun) => void) | undefined;

/** Tells `listener` of every graph that runs during `work`. */
export async function profileGraphs<T>(listener: (run: GraphRun) => void, work: () => Promise<T>): Promise<T> {
  const outer = heard;
  heard = listener;
  try {
    return await work();
  } finally {
    heard = outer;
  }
}

const shapesOf = (views: Readonly<Record<string, View>>): GraphRun["shapes"] =>
  Object.fromEntries(Object.entries(views).map(([key, { shape }]) => [key, shape]));

const tensor = ({ values, shape }: View): Tensor =>
  values instanceof Int32Array ? new Tensor("int32", values, shape) : new Tensor("float32", values, shape);

/**
 * Runs a graph synchronously. `name` identifies the graph, which `build` makes once; `feeds` and `fetches` go by the names of its
 * inputs and outputs. Nothing is copied: inputs are read and outputs written in place.
 */
export function runGraph(
  name: string,
  build: () => Graph,
  feeds: Readonly<Record<string, View>>,
  fetches: Readonly<Record<string, View>>,
): void {
  const wrap = (views: Readonly<Record<string, View>>): Record<string, Tensor> =>
    Object.fromEntries(Object.entries(views).map(([key, view]) => [key, tensor(view)]));
  const [session, inputs, outputs] = [sessionFor(name, build), wrap(feeds), wrap(fetches)];
  const started = performance.now();
  session.run(inputs, outputs, {});
  const taken = performance.now() - started;
  milliseconds += taken;
  heard?.({ name, shapes: shapesOf({ ...feeds, ...fetches }), seconds: taken / 1e3 });
}
