"""Trains the judge of `index/judge.py` from the questions of `evals/pairs`, and measures it.

The base is the lower six of the twelve layers of the encoder that comes with the installation (dropping the top: Sajjad et al. 2023, "On
the effect of dropping layers of pre-trained transformer models"), its vocabulary trimmed to the pieces that the two languages use
(Abdaoui et al. 2020, "Load what you need"). Trained with binary cross-entropy, so that a score is a log odds, from easy to hard (Bengio et al.
2009, "Curriculum learning"): what the search puts high is too hard to begin with, and on it alone nothing is learned.

What ships is computed in int8; in training the layers are given what they will be given there, rounded.
"""

from __future__ import annotations

import json
import random
import shutil
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

from assistant.chain import Ask, Chain
from assistant.errors import NotReady
from evals.pairs import Example, Group, Pair, examples, load_reading, reading
from index import e5
from index.judge import INT8, LONGEST, WEIGHTS, Judge, seal

if TYPE_CHECKING:
    from torch import Tensor

LAYERS = 6
PIECES = 15_000
BATCH, WARM_UP = 32, 0.03
# The made-up statements are read so many times for each time the others are, beside different wrong ones.
READ = 2
# Within so many batches examples of like length go together, so that little is padding.
WINDOW = 8


@dataclass(frozen=True, slots=True)
class Course:
    """How long to train, in batches, at which learning rate, and the share of easy examples at the first step and at the last."""

    steps: int
    rate: float
    easy: tuple[float, float]


FIRST = Course(3_000, 2e-4, (0.8, 0.2))
# What comes of it is averaged with what was there before, which is better than either.
FURTHER = Course(4_400, 2e-4, (0.12, 0.08))


def make(
    chain: Chain, pairs: Sequence[Pair], out: Path = WEIGHTS, *, further: bool = False, progress: Callable[[int, int], None] = lambda done, total: None
) -> None:
    """Mines examples for `pairs` in the library of `chain`, trains the judge on them and writes it into `out`, sealed; what is there is replaced.

    It begins with the lower layers of the encoder and the course `FIRST`; `further` goes on from the weights in `out` with `FURTHER`, and writes the
    mean of those and what comes of it. Raises `NotReady` where what writes it is not installed.
    """
    if find_spec("onnx") is None:  # said now, not after an hour of training
        raise NotReady("onnx, which writes the judge's layers in int8, is not installed.", "Run: .venv/bin/pip install -c constraints.txt -e '.[train]'")
    mined = examples(chain, pairs, progress=progress)
    groups = load_reading("train")
    mined += [example for seed in range(READ) for example in reading(groups, seed)]
    with TemporaryDirectory() as folder:
        start, made = out if further else Path(folder) / "base", Path(folder) / "judge"
        if not further:
            base(e5.folder(chain.library.folder / "models"), start, [*(text.text for text in chain.library.texts.values()), *(pair.question for pair in pairs)])
        train(mined, start, made, FURTHER if further else FIRST)
        if further:
            average(start, made)
        out.mkdir(exist_ok=True)
        quantise(made)
        for name in (
            "config.json",
            "config_sentence_transformers.json",
            INT8,
            "model.safetensors",
            "modules.json",
            "sentence_bert_config.json",
            "tokenizer.json",
            "tokenizer_config.json",
        ):
            shutil.copyfile(made / name, out / name)
    seal(out)


def base(encoder: Path, out: Path, texts: Iterable[str]) -> None:
    """Writes the untrained judge into `out`: layers and trimmed vocabulary of the sentence-transformers folder `encoder`.

    Kept are single characters, the `PIECES` likeliest longer pieces of ASCII or Han, and those that occur in `texts`.
    """
    out.mkdir(parents=True)
    described = json.loads((encoder / "tokenizer.json").read_text(encoding="utf-8"))
    vocabulary = described["model"]["vocab"]
    tokenizer = Tokenizer.from_file(str(encoder / "tokenizer.json"))
    kept = {number for text in texts for number in tokenizer.encode(text).ids} | set(range(5)) | {len(vocabulary) - 1}
    kept |= {number for number, (piece, _) in enumerate(vocabulary) if len(piece) == 1}
    longer = [
        number
        for number, (piece, _) in enumerate(vocabulary)
        if len(piece) > 1 and all(" " <= char <= "~" or char == "▁" or "\u4e00" <= char <= "\u9fff" for char in piece)
    ]
    kept |= set(sorted(longer, key=lambda number: -vocabulary[number][1])[:PIECES])
    order = sorted(kept)
    described["model"]["vocab"] = [vocabulary[number] for number in order]
    for token in described["added_tokens"]:
        token["id"] = order.index(token["id"])
    (out / "tokenizer.json").write_text(json.dumps(described, ensure_ascii=False), encoding="utf-8")
    (out / "tokenizer_config.json").write_text((encoder / "tokenizer_config.json").read_text(encoding="utf-8"), encoding="utf-8")
    weights = load_file(encoder / "model.safetensors")
    kept_names = ("embeddings.", *(f"encoder.layer.{layer}." for layer in range(LAYERS)))
    cut = {name: value for name, value in weights.items() if name.startswith(kept_names)}
    cut["embeddings.word_embeddings.weight"] = weights["embeddings.word_embeddings.weight"][order]
    save_file(cut, out / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((encoder / "config.json").read_text(encoding="utf-8"))
    config |= {"num_hidden_layers": LAYERS, "vocab_size": len(order)}
    (out / "config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")


def curriculum(mined: Sequence[Example], course: Course, seed: int = 0) -> list[Example]:
    """The batches of `course`, in order: an easy example is a right statement, or a statement of another question; the others are of `mined`."""
    choose = random.Random(seed)
    right = [example for example in mined if example.label]
    hard: list[Example] = []
    planned = []
    total = course.steps * BATCH
    for at in range(total):
        if choose.random() < course.easy[0] + (course.easy[1] - course.easy[0]) * at / total:
            example = choose.choice(right)
            planned.append(example if choose.random() < 0.5 else replace(example, statement=choose.choice(mined).statement, label=0.0))
        else:
            hard = hard or choose.sample(mined, len(mined))
            planned.append(hard.pop())
    batches = []
    for at in range(0, len(planned), WINDOW * BATCH):
        window = sorted(planned[at : at + WINDOW * BATCH], key=lambda example: len((example.question + example.statement).encode()))
        of_like_length = [window[at : at + BATCH] for at in range(0, len(window), BATCH)]
        batches += choose.sample(of_like_length, len(of_like_length))
    return [example for batch in batches for example in batch]


def train(mined: Sequence[Example], start: Path, out: Path, course: Course, seed: int = 0) -> None:
    """Fine-tunes the base, or the judge, in the folder `start` on the examples `mined` and writes the judge, in half precision, into `out`."""
    import torch
    from datasets import Dataset
    from sentence_transformers import CrossEncoder
    from sentence_transformers.base.sampler import DefaultBatchSampler
    from sentence_transformers.cross_encoder import CrossEncoderTrainer, CrossEncoderTrainingArguments
    from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss
    from torch.utils.data import SequentialSampler

    torch.manual_seed(seed)
    # On a processor the gradient of plain attention takes a quarter of the time that of the fused one does, at these lengths.
    plain: dict[str, object] = {"dtype": torch.float32} | ({} if torch.cuda.is_available() else {"attn_implementation": "eager"})
    model = CrossEncoder(str(start), num_labels=1, max_length=LONGEST, activation_fn=torch.nn.Identity(), model_kwargs=plain)
    for name, weights in model.named_parameters():
        # Words that no example has keep their place among those that some have.
        weights.requires_grad = "word_embeddings" not in name
    for layer in model.modules():
        if isinstance(layer, torch.nn.Linear):
            layer.register_forward_pre_hook(lambda layer, given: (_in_int8(given[0]),))
    planned = curriculum(mined, course, seed)
    columns = {
        "question": [example.question for example in planned],
        "statement": [example.statement for example in planned],
        "label": [example.label for example in planned],
    }
    arguments = CrossEncoderTrainingArguments(
        output_dir=str(out) + ".making",
        num_train_epochs=1,
        per_device_train_batch_size=BATCH,
        learning_rate=course.rate,
        warmup_steps=WARM_UP,
        weight_decay=0.01,
        save_strategy="no",
        dataloader_pin_memory=torch.cuda.is_available(),
        report_to="none",
        logging_steps=50,
        seed=seed,
        use_cpu=not torch.cuda.is_available(),
        bf16=_computes_in_bfloat16(),
        batch_sampler=lambda data, **given: DefaultBatchSampler(SequentialSampler(data), **given),
    )
    CrossEncoderTrainer(model=model, args=arguments, train_dataset=Dataset.from_dict(columns), loss=BinaryCrossEntropyLoss(model)).train()
    model.half().save_pretrained(str(out))


def average(before: Path, made: Path) -> None:
    """Makes the weights in `made` the mean of those and the ones in `before`, from which they were trained: what only one of them has learned by heart
    weighs half (Wortsman et al. 2022, "Model soups: averaging weights of multiple fine-tuned models")."""
    first, second = (load_file(folder / "model.safetensors") for folder in (before, made))
    mean = {name: ((first[name].astype(np.float32) + weights.astype(np.float32)) / 2).astype(weights.dtype) for name, weights in second.items()}
    save_file(mean, made / "model.safetensors", metadata={"format": "pt"})


def _computes_in_bfloat16() -> bool:
    """Whether what training runs on multiplies in bfloat16, which takes two thirds of the time."""
    import torch

    able = torch.cpu.get_capabilities()
    return torch.cuda.is_bf16_supported() if torch.cuda.is_available() else any(able.get(name) for name in ("avx512_bf16", "amx_bf16"))


def _in_int8(activations: Tensor) -> Tensor:
    """What a layer is given, rounded as it will be in int8, each pair by its own range, with the gradient of what is not rounded (Jacob et al. 2018,
    "Quantization and training of neural networks for efficient integer-arithmetic-only inference")."""
    axes = tuple(range(1, activations.dim()))
    low, high = activations.amin(axes, keepdim=True).clamp(max=0), activations.amax(axes, keepdim=True).clamp(min=0)
    step = (high - low).clamp(min=1e-6) / 255
    return activations + (((activations - low) / step).round() * step + low - activations).detach()


def quantise(folder: Path) -> None:
    """Writes the layers of the judge in `folder` in int8 beside its weights, as `index.judge` computes them: the weights of each channel by a range of
    their own and in seven bits, which no processor's additions overflow, the activations of a pair by theirs."""
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from sentence_transformers import CrossEncoder

    loaded = CrossEncoder(str(folder), model_kwargs={"dtype": torch.float32, "attn_implementation": "eager"})
    layers = loaded[0].model.eval()

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = layers

        def forward(self, words: Tensor, attention_mask: Tensor) -> Tensor:
            logits: Tensor = self.layers(inputs_embeds=words, attention_mask=attention_mask).logits
            return logits

    sizes = {0: "pairs", 1: "pieces"}
    given = (torch.zeros(2, 5, layers.config.hidden_size), torch.ones(2, 5, dtype=torch.int64))
    with TemporaryDirectory() as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of itself, which the newer one would need a further package for
        exported = Path(temporary) / "layers.onnx"
        torch.onnx.export(
            Logits(),
            given,
            exported,
            input_names=["words", "attention_mask"],
            output_names=["logits"],
            dynamic_axes={"words": sizes, "attention_mask": sizes},
            opset_version=17,
            dynamo=False,
        )
        quantize_dynamic(exported, folder / INT8, weight_type=QuantType.QInt8, per_channel=True, reduce_range=True)


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures of one way of judging over test questions that nobody was trained on.

    Each share is (how many, of how many). `ranks` are those of the first right statement in the evidence, 0 where there is none;
    `odds` are each question's confidence and whether it can be answered.
    """

    name: str
    near_misses_declined: tuple[int, int]
    outside_declined: tuple[int, int]
    wrongly_declined: tuple[int, int]
    ranks: tuple[int, ...]
    odds: tuple[tuple[float, bool], ...]

    @property
    def mean_reciprocal_rank(self) -> float:
        """MRR of the first right statement over all answerable questions."""
        return sum(1 / rank for rank in self.ranks if rank) / max(1, len(self.ranks))

    @property
    def first(self) -> float:
        """The share of the answerable questions whose evidence begins with a right statement."""
        return sum(rank == 1 for rank in self.ranks) / max(1, len(self.ranks))

    @property
    def calibration_error(self) -> float:
        """Expected calibration error over ten bins of equal width (Naeini et al. 2015)."""
        bins: dict[int, list[tuple[float, bool]]] = {}
        for chance, answerable in self.odds:
            bins.setdefault(min(9, int(chance * 10)), []).append((chance, answerable))
        return sum(abs(sum(chance for chance, _ in one) - sum(able for _, able in one)) for one in bins.values()) / max(1, len(self.odds))

    def risk(self, coverage: float) -> float:
        """Of the share `coverage` of the questions with the highest confidence, the share that nothing answers (El-Yaniv and Wiener 2010)."""
        surest = sorted(self.odds, reverse=True)[: max(1, round(coverage * len(self.odds)))]
        return sum(not answerable for _, answerable in surest) / len(surest)


@dataclass(frozen=True, slots=True)
class Read:
    """How well made-up statements are read: of how many questions the statement that answers it comes first in its group, and how well the best score
    of a question tells those that are answered from those that are not, as area under the ROC curve."""

    first: tuple[int, int]
    told_apart: float


def read(judge: Judge, groups: Iterable[Group]) -> Read:
    """Asks the judge the questions of groups that it was not trained on; `groups` may not be empty."""
    first, answered, unanswered = [], [], []
    for group in groups:
        statements = [said.text for said in group.statements]
        for at, said in enumerate(group.statements):
            for question in said.asked:
                scores = judge.scores(question, statements)
                first.append(int(scores.argmax()) == at)
                answered.append(scores.max())
            unanswered += [judge.scores(question, statements).max() for question in said.missed]
    higher = np.subtract.outer(answered, unanswered)
    return Read((sum(first), len(first)), float(np.mean(higher > 0) + np.mean(higher == 0) / 2))


def measure(
    name: str, chain: Chain, pairs: Sequence[Pair], outside: Sequence[str], progress: Callable[[int, int], None] = lambda done, total: None
) -> Measured:
    """Asks the questions of `pairs` that were written one by one, and more of those `outside` the subject."""
    near, away, wrong, ranks, odds = [], [], [], [], []
    asked: list[tuple[str, Pair | None]] = [(pair.question, None if pair.style == "outside" else pair) for pair in pairs if pair.style != "template"]
    asked += [(question, None) for question in outside]
    for done, (question, pair) in enumerate(asked):
        progress(done, len(asked))
        found = chain.find(Ask(question))
        odds.append((found.decided.confidence, bool(pair and pair.right)))
        if pair is None:
            away.append(not found.decided.enough)
        elif not pair.right:
            near.append(not found.decided.enough)
        else:
            wrong.append(not found.decided.enough)
            ranks.append(next((at for at, item in enumerate(found.evidence, 1) if set(item.statement.marks) & set(pair.right)), 0))
    progress(len(asked), len(asked))
    near_misses, outside_ones, answered = ((sum(one), len(one)) for one in (near, away, wrong))
    return Measured(name, near_misses, outside_ones, answered, tuple(ranks), tuple(odds))
