"""Writes test/models/fixtures: ONNX files of a few hundred bytes that show what exports of real models differ in.
pooled-text.onnx: a vector for each token, to be pooled and projected (sentence-transformers). fixed-*.onnx: one row and
a fixed length a run, int32 ids, weights in a file beside (exports of immich). Run with onnx 1.23: python make.py
"""
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FIXTURES = Path(__file__).resolve().parent.parent.parent / "test/models/fixtures"
VOCABULARY = 16
SEED = 7


def save(name, nodes, inputs, outputs, weights, beside=False):
    """Checks and writes a model; its weights in NAME.onnx_data where `beside` says so."""
    tensors = [numpy_helper.from_array(values, key) for key, values in weights.items()]
    graph = helper.make_graph(nodes, name, inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    data = f"{name}.onnx_data"
    (FIXTURES / data).unlink(missing_ok=True)
    # Up to 64 bytes stay in the file: onnxruntime wants the axes of a ReduceSum there.
    onnx.save(model, FIXTURES / f"{name}.onnx", save_as_external_data=beside, location=data, size_threshold=64)


def token_vectors(dimensions):
    """A vector for each id: small whole numbers, so that sums are exact."""
    table = np.arange(VOCABULARY * 6).reshape(VOCABULARY, 6) % 7 - 3
    return np.ascontiguousarray(table[:, :dimensions].astype(np.float32))


def pooled_text():
    """Gives a vector for each token."""
    save(
        "pooled-text",
        [helper.make_node("Gather", ["table", "input_ids"], ["last_hidden_state"])],
        [
            helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["n", "l"]),
            helper.make_tensor_value_info("attention_mask", TensorProto.INT64, ["n", "l"]),
        ],
        [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["n", "l", 6])],
        {"table": token_vectors(6)},
    )


def fixed_text():
    """Takes one row of five int32 ids, and gives the sum of their vectors."""
    save(
        "fixed-text",
        [
            helper.make_node("Gather", ["table4", "text"], ["tokens"]),
            helper.make_node("ReduceSum", ["tokens", "axis"], ["embedding"], keepdims=0),
        ],
        [helper.make_tensor_value_info("text", TensorProto.INT32, [1, 5])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, 4])],
        {"table4": token_vectors(4), "axis": np.array([1], dtype=np.int64)},
        beside=True,
    )


def image(name, rows, input_name, output_name):
    """Projects the mean colour of pictures of 8 x 8: of one (`rows` 1) or of any number at a time."""
    save(
        name,
        [
            helper.make_node("ReduceMean", [input_name], ["mean"], axes=[2, 3], keepdims=0),
            helper.make_node("MatMul", ["mean", "w"], [output_name]),
        ],
        [helper.make_tensor_value_info(input_name, TensorProto.FLOAT, [rows, 3, 8, 8])],
        [helper.make_tensor_value_info(output_name, TensorProto.FLOAT, [rows, 4])],
        {"w": np.random.default_rng(SEED).normal(size=(3, 4)).astype(np.float32)},
    )


if __name__ == "__main__":
    pooled_text()
    fixed_text()
    image("fixed-image", 1, "image", "embedding")
    image("free-image", "n", "pixel_values", "image_embeds")
