"""Writes blocks.json: random blocks of each quantised type of GGUF, with the values that Python's package gguf gives them.

    pip install gguf numpy && python blocks.py > blocks.json
"""

import base64
import json

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize

# Where the float16 scales of a block lie; all other bytes may be anything.
SCALES = {
    "Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2],
    "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
}  # fmt: skip
random = np.random.default_rng(7)


def text(array: np.ndarray) -> str:
    return base64.b64encode(array.tobytes()).decode()


def sample(name: str) -> dict[str, str]:
    kind = GGMLQuantizationType[name]
    elements, size = GGML_QUANT_SIZES[kind]
    packed = random.integers(0, 256, (2 if elements == 32 else 1, size), dtype=np.uint8)
    for at in SCALES[name]:
        packed[:, at : at + 2] = random.normal(0, 0.05, (len(packed), 1)).astype(np.float16).view(np.uint8)
    return {"packed": text(packed), "values": text(dequantize(packed, kind).astype(np.float32))}


print(json.dumps({name: sample(name) for name in SCALES}, indent=1))
