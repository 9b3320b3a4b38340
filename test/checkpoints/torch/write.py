"""Writes the PyTorch files beside it, and their values as PyTorch reads them back: python test/checkpoints/torch/write.py"""

import json
import pathlib
import zipfile
from collections import OrderedDict

import torch

HERE = pathlib.Path(__file__).parent


def kinds():
    torch.manual_seed(1)
    return {
        "single": torch.randn(2, 3),
        "half": torch.randn(3, 2).half(),
        "brain": torch.randn(5).bfloat16(),
        "double": torch.randn(2, 2, dtype=torch.float64),
        "scalar": torch.tensor(2.5),
        "none": torch.zeros(0, 4),
    }


def views():
    torch.manual_seed(2)
    matrix = torch.randn(3, 4)
    state = OrderedDict(
        whole=matrix,
        tied=matrix,
        transposed=matrix.t(),
        corner=matrix[1:, 1:3],
        column=matrix[:, 2],
        block=torch.arange(12, dtype=torch.float16).reshape(2, 3, 2)[:, 1:],
        parameter=torch.nn.Parameter(torch.randn(2, 2)),
        position_ids=torch.arange(4).expand((1, -1)),
    )
    state._metadata = OrderedDict(version=1)
    return state


def pack_again(name):
    """As an archive beyond 4 GiB has it: every size and place is written in 64 bits; and deflated."""
    zipfile.ZIP64_LIMIT = 8
    with zipfile.ZipFile(HERE / f"{name}.bin") as archive:
        files = {entry: archive.read(entry) for entry in archive.namelist()}
    with zipfile.ZipFile(HERE / f"{name}-packed.bin", "w", zipfile.ZIP_DEFLATED) as archive:
        for entry, content in files.items():
            archive.writestr(zipfile.ZipInfo(entry), content, zipfile.ZIP_DEFLATED)


values = {}
for name, state in {"kinds": kinds(), "views": views()}.items():
    torch.save(state, HERE / f"{name}.bin")
    torch.save(state, HERE / f"{name}-old.bin", _use_new_zipfile_serialization=False)
    read = torch.load(HERE / f"{name}.bin", weights_only=True)
    values[name] = {
        key: {"shape": list(tensor.shape), "values": tensor.double().flatten().tolist()} for key, tensor in read.items()
    }
(HERE / "values.json").write_text(json.dumps(values) + "\n")
pack_again("kinds")
