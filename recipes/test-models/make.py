"""Writes test/models/fixtures: ONNX files of a few hundred bytes that show what exports of real models differ in.
pooled-text.onnx: a vector for each token, to be pooled and projected (sentence-transformers). fixed-*.onnx: one row and
a fixed length a run, int32 ids, weights in a file beside (exports of immich). Run with onnx 1.23: python make.py
"""
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OUT = Path(__file__).parent.parent.parent / "test/models/fixtures"
F, I64, I32 = TensorProto.FLOAT, TensorProto.INT64, TensorProto.INT32
rng = np.random.default_rng(7)


def save(name, nodes, inputs, outputs, weights, external=False):
    graph = helper.make_graph(nodes, name, inputs, outputs, [numpy_helper.from_array(v, k) for k, v in weights.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    (OUT / f"{name}.onnx_data").unlink(missing_ok=True)
    onnx.save(model, OUT / f"{name}.onnx", save_as_external_data=external, location=f"{name}.onnx_data", size_threshold=64)  # the axes must be inside


info = helper.make_tensor_value_info
table = (np.arange(16 * 6).reshape(16, 6) % 7 - 3).astype(np.float32)
save(
    "pooled-text",
    [helper.make_node("Gather", ["table", "input_ids"], ["last_hidden_state"])],
    [info("input_ids", I64, ["n", "l"]), info("attention_mask", I64, ["n", "l"])],
    [info("last_hidden_state", F, ["n", "l", 6])],
    {"table": table},
)
save(
    "fixed-text",
    [
        helper.make_node("Gather", ["table4", "text"], ["tokens"]),
        helper.make_node("ReduceSum", ["tokens", "axis"], ["embedding"], keepdims=0),
    ],
    [info("text", I32, [1, 5])],
    [info("embedding", F, [1, 4])],
    {"table4": np.ascontiguousarray(table[:, :4]), "axis": np.array([1], dtype=np.int64)},
    external=True,
)
weights = rng.normal(size=(3, 4)).astype(np.float32)
for name, rows, input_name, output in [("fixed-image", 1, "image", "embedding"), ("free-image", "n", "pixel_values", "image_embeds")]:
    save(
        name,
        [
            helper.make_node("ReduceMean", [input_name], ["mean"], axes=[2, 3], keepdims=0),
            helper.make_node("MatMul", ["mean", "w"], [output]),
        ],
        [info(input_name, F, [rows, 3, 8, 8])],
        [info(output, F, [rows, 4])],
        {"w": weights},
    )
