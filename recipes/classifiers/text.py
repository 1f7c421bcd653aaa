"""Makes small text classifiers of the true architecture with random weights, and the scores that transformers gives: fixtures of the tests.

    pip install torch transformers tokenizers onnx
    python text.py bert FOLDER            # as toxic-bert: WordPiece, lower case, six labels that stand alone (sigmoid)
    python text.py xlm-roberta FOLDER     # as multilingual models: Unigram, places that begin after the padding's id, softmax

The vocabulary is trained on the captions of ../clean-caption, since the published ones can't be had.
"""

import json
import sys
import warnings
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast, XLMRobertaConfig, XLMRobertaForSequenceClassification

CAPTIONS = json.loads((Path(__file__).resolve().parent.parent / "clean-caption/captions.json").read_text(encoding="utf-8"))
# Without the byte order mark, which JavaScript's tokenizers take for white space: no published vocabulary has it.
LINES = [caption.replace("\ufeff", "") for caption in CAPTIONS]
VOCABULARY = 400
TOKENS = 32
TOXIC = ["toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"]
SIZE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64, "initializer_range": 0.2}


def write_json(path, value):
    path.write_text(json.dumps(value) + "\n", encoding="utf-8")


def wordpiece():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=VOCABULARY, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False)
    tokenizer.train_from_iterator(LINES, trainer)
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", tokenizer.token_to_id("[SEP]")), ("[CLS]", tokenizer.token_to_id("[CLS]")))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", model_max_length=TOKENS)


def unigram():
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement="\u2581", prepend_scheme="always")
    trainer = trainers.UnigramTrainer(vocab_size=VOCABULARY, special_tokens=["<s>", "<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(LINES, trainer)
    ends = [(token, tokenizer.token_to_id(token)) for token in ("<s>", "</s>")]
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=ends)
    # No model_max_length, as in many repositories: the number of places decides.
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>", cls_token="<s>", sep_token="</s>")


def bert(tokenizer):
    labels = dict(enumerate(TOXIC))
    config = BertConfig(vocab_size=len(tokenizer), max_position_embeddings=64, id2label=labels, problem_type="multi_label_classification", pad_token_id=0, **SIZE)
    return BertForSequenceClassification._from_config(config, attn_implementation="eager"), ["input_ids", "attention_mask", "token_type_ids"], TOKENS, torch.sigmoid


def xlm_roberta(tokenizer):
    config = XLMRobertaConfig(vocab_size=len(tokenizer), max_position_embeddings=TOKENS + 2, id2label={0: "neutral", 1: "toxic"}, pad_token_id=1, **SIZE)
    model = XLMRobertaForSequenceClassification._from_config(config, attn_implementation="eager")
    return model, ["input_ids", "attention_mask"], TOKENS, lambda logits: torch.softmax(logits, -1)


@torch.no_grad()
def main():
    warnings.filterwarnings("ignore")
    kind, folder = sys.argv[1], Path(sys.argv[2]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    tokenizer = wordpiece() if kind == "bert" else unigram()
    model, inputs, length, activation = (bert if kind == "bert" else xlm_roberta)(tokenizer)
    model.eval()
    example = tokenizer(["a diagram of a dog", "a cat"], padding=True, return_tensors="pt")
    free = {0: "batch_size", 1: "sequence_length"}

    class Positional(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, *values):
            return self.model(**dict(zip(inputs, values))).logits

    values = tuple(example[name] if name in example else torch.zeros_like(example["input_ids"]) for name in inputs)
    axes = {**{name: free for name in inputs}, "logits": {0: "batch_size"}}
    torch.onnx.export(Positional().eval(), values, folder / "model.onnx", input_names=inputs, output_names=["logits"], dynamic_axes=axes, opset_version=17, dynamo=False)
    config = model.config.to_dict()
    kept = ("model_type", "id2label", "problem_type", "max_position_embeddings", "pad_token_id")
    write_json(folder / "config.json", {key: config[key] for key in kept if config.get(key) is not None})
    tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    write_json(folder / "tokenizer_config.json", {"model_max_length": TOKENS} if kind == "bert" else {"model_max_length": tokenizer.model_max_length})
    scores = []
    for caption in CAPTIONS:
        encoded = tokenizer(caption, truncation=True, max_length=length, return_tensors="pt")
        scores.append(activation(model(**{name: encoded[name] for name in inputs if name in encoded}).logits)[0].tolist())
    write_json(folder / "expected.json", {"texts": CAPTIONS, "scores": [[round(score, 7) for score in row] for row in scores]})


if __name__ == "__main__":
    main()
