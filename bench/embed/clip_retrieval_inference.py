"""clip-retrieval's own inference on the tars of a folder, with the random weights of a folder that random_models.py wrote in place of
its download.

  python clip_retrieval_inference.py MODEL_FOLDER TAR_FOLDER OUT BATCH_SIZE WORKERS

BATCH_SIZE and WORKERS are its options batch_size and num_prepro_workers. Loading and warming up happen before the clock starts, and the
process of its logger, which imports torch once more, is left out: in a long run neither counts. Prints {"seconds": …, "cpu": …, "peak":
…}, the last the FLOP/s of a product of two matrices on all cores; the embeddings lie in OUT.
"""
import glob
import json
import os
import resource
import sys
import time

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
if __name__ == "__main__":  # clip-retrieval's logger starts a process that imports this file again
    import clip
    import torch
    from clip.model import CLIP
    from safetensors.torch import load_file

folder, tars, out, batch_size, workers = sys.argv[1:6]


class NoLogger:
    def __init__(self, *_arguments, **_options):
        pass

    def start(self):
        pass

    def end(self):
        pass

    def __call__(self, _stats):
        pass


def openai_state(hf):
    """Hugging Face's names of the weights to OpenAI's."""
    state = {
        "logit_scale": hf["logit_scale"],
        "positional_embedding": hf["text_model.embeddings.position_embedding.weight"],
        "token_embedding.weight": hf["text_model.embeddings.token_embedding.weight"],
        "text_projection": hf["text_projection.weight"].T,
        "visual.proj": hf["visual_projection.weight"].T,
        "visual.class_embedding": hf["vision_model.embeddings.class_embedding"],
        "visual.positional_embedding": hf["vision_model.embeddings.position_embedding.weight"],
        "visual.conv1.weight": hf["vision_model.embeddings.patch_embedding.weight"],
    }
    norms = {"visual.ln_pre": "vision_model.pre_layrnorm", "visual.ln_post": "vision_model.post_layernorm", "ln_final": "text_model.final_layer_norm"}
    layers = {}
    for ours, theirs in (("visual.transformer", "vision_model"), ("transformer", "text_model")):
        count = 1 + max(int(name.split(".")[3]) for name in hf if name.startswith(f"{theirs}.encoder.layers."))
        for i in range(count):
            a, b = f"{ours}.resblocks.{i}", f"{theirs}.encoder.layers.{i}"
            layers |= {f"{a}.attn.out_proj": f"{b}.self_attn.out_proj", f"{a}.ln_1": f"{b}.layer_norm1", f"{a}.ln_2": f"{b}.layer_norm2"}
            layers |= {f"{a}.mlp.c_fc": f"{b}.mlp.fc1", f"{a}.mlp.c_proj": f"{b}.mlp.fc2"}
            for kind in ("weight", "bias"):
                state[f"{a}.attn.in_proj_{kind}"] = torch.cat([hf[f"{b}.self_attn.{part}_proj.{kind}"] for part in "qkv"])
    for a, b in (norms | layers).items():
        state |= {f"{a}.{kind}": hf[f"{b}.{kind}"] for kind in ("weight", "bias")}
    return state


def load(*_arguments, **_options):
    from clip.clip import _transform

    state = openai_state(load_file(f"{folder}/model.safetensors"))
    width, vision_width = state["ln_final.weight"].shape[0], state["visual.conv1.weight"].shape[0]
    patch = state["visual.conv1.weight"].shape[-1]
    blocks = {name: len({key.split(".")[at] for key in state if key.startswith(f"{name}.")}) for name, at in (("visual.transformer.resblocks", 3), ("transformer.resblocks", 2))}
    model = CLIP(state["text_projection"].shape[1], 224, blocks["visual.transformer.resblocks"], vision_width, patch, 77, 49408, width, width // 64, blocks["transformer.resblocks"])
    missing = model.load_state_dict(state, strict=False)
    assert not missing.unexpected_keys and not missing.missing_keys, missing
    return model.float().eval(), _transform(224), lambda texts: clip.tokenize(texts, truncate=True)


def cpu():
    return sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))


def main():
    import all_clip.main
    from clip_retrieval.clip_inference.worker import worker

    loaded = load()
    all_clip.main.load_clip_without_warmup = lambda *_a, **_o: loaded
    all_clip.main.warmup = lambda *_a, **_o: None
    worker.__globals__["LoggerWriter"] = NoLogger

    with torch.no_grad():
        loaded[0].encode_image(torch.zeros(4, 3, 224, 224))
        loaded[0].encode_text(clip.tokenize(["warm"]))
    peak = matrix_product()

    started, before = time.time(), cpu()
    options = {"input_format": "webdataset", "batch_size": int(batch_size), "num_prepro_workers": int(workers), "enable_metadata": True}
    worker([0], sorted(glob.glob(f"{tars}/*.tar")), out, 1, **options)
    print(json.dumps({"seconds": time.time() - started, "cpu": cpu() - before, "peak": peak}))


def matrix_product():
    """FLOP/s of a product of two matrices of 2048 x 2048: the best of ten."""
    a, best = torch.randn(2048, 2048), float("inf")
    for _ in range(10):
        started = time.time()
        a @ a
        best = min(best, time.time() - started)
    return 2 * 2048**3 / best


if __name__ == "__main__":
    main()
