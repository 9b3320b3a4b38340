/**
 * A writer for the few parts of ONNX's protobuf format that a graph of one fused operation needs.
 * Field numbers are those of onnx.proto (ModelProto, GraphProto, NodeProto, ValueInfoProto, AttributeProto).
 */

/** Element types of an input (TensorProto.DataType): float32, and int32 for ids. */
export const FLOAT = 1;
export const INT32 = 6;

const IR_VERSION = 8;
const OPSET = 17;
const MICROSOFT_OPSET = 1;

/** A node attribute: an integer, a list of integers, a float ({ float }) or a string. */
export type Attribute = number | readonly number[] | { readonly float: number } | string;

/** A dimension: a number, or a name where it differs from call to call. */
export type Dimension = number | string;

/** A graph as this kit builds them: encoded nodes, inputs and outputs; weights are inputs, so that they may change. */
export interface Graph {
  readonly nodes: readonly Uint8Array[];
  readonly inputs: readonly Uint8Array[];
  readonly outputs: readonly Uint8Array[];
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

const tag = (field: number, wire: number): Uint8Array => varint((field << 3) | wire);
const integer = (field: number, value: number): Uint8Array => Buffer.concat([tag(field, 0), varint(value)]);

function bytes(field: number, value: Uint8Array | string): Uint8Array {
  const content = Buffer.from(value as Uint8Array);
  return Buffer.concat([tag(field, 2), varint(content.length), content]);
}

function float(field: number, value: number): Uint8Array {
  const content = Buffer.alloc(4);
  content.writeFloatLE(value);
  return Buffer.concat([tag(field, 5), content]);
}

function attribute(name: string, value: Attribute): Uint8Array {
  const [kind, ...content] =
    typeof value === "number"
      ? [2, integer(3, value)]
      : typeof value === "string"
        ? [3, bytes(4, value)]
        : "float" in value
          ? [1, float(2, value.float)]
          : [7, ...value.map((v) => integer(8, v))];
  return bytes(5, Buffer.concat([bytes(1, name), ...(content as Uint8Array[]), integer(20, kind as number)]));
}

/** One operator of the standard set, or of Microsoft's where the name begins "com.microsoft.". An empty input name is an input left out. */
export function node(
  operator: string,
  inputs: readonly string[],
  output: string,
  attributes: Readonly<Record<string, Attribute>> = {},
): Uint8Array {
  const dot = operator.lastIndexOf(".");
  return Buffer.concat([
    ...inputs.map((name) => bytes(1, name)),
    bytes(2, output),
    bytes(4, operator.slice(dot + 1)),
    ...Object.entries(attributes).map(([name, value]) => attribute(name, value)),
    ...(dot > 0 ? [bytes(7, operator.slice(0, dot))] : []),
  ]);
}

/** A graph input or output. */
export function value(name: string, type: number, dimensions: readonly Dimension[]): Uint8Array {
  const shape = dimensions.map((d) => bytes(1, typeof d === "string" ? bytes(2, d) : integer(1, d)));
  const tensor = Buffer.concat([integer(1, type), bytes(2, Buffer.concat(shape))]);
  return Buffer.concat([bytes(1, name), bytes(2, bytes(1, tensor))]);
}

/** A float32 graph input or output. */
export function floats(name: string, ...dimensions: readonly Dimension[]): Uint8Array {
  return value(name, FLOAT, dimensions);
}

/** The bytes of a model that holds the graph. */
export function encodeModel({ nodes, inputs, outputs }: Graph): Uint8Array {
  const graph = Buffer.concat([
    ...nodes.map((part) => bytes(1, part)),
    bytes(2, "graph"),
    ...inputs.map((part) => bytes(11, part)),
    ...outputs.map((part) => bytes(12, part)),
  ]);
  const opsets = [integer(2, OPSET), Buffer.concat([bytes(1, "com.microsoft"), integer(2, MICROSOFT_OPSET)])];
  return Buffer.concat([integer(1, IR_VERSION), bytes(7, graph), ...opsets.map((part) => bytes(8, part))]);
}
