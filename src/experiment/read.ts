import * as tf from "@tensorflow/tfjs";

/** The values of the tensor that `make` computes, read without blocking a GPU; all tensors made on the way are gone. */
export async function valuesOf(make: () => tf.Tensor): Promise<Float32Array> {
  const tensor = tf.tidy(make);
  try {
    return (await tensor.data()) as Float32Array;
  } finally {
    tensor.dispose();
  }
}
