from __future__ import annotations

import os
import re
import sys
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from assistant.build import build, load_models
from assistant.errors import ModelError, NotReady
from assistant.local import LocalModel
from assistant.model import ModelWriter
from assistant.records import Question
from assistant.settings import Settings

GGUF = os.environ.get("HKAI_TEST_GGUF", "")


def test_a_file_that_is_not_there_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=re.escape(str(tmp_path / "none.gguf"))) as caught:
        LocalModel(tmp_path / "none.gguf").load(100)
    assert "HKAI_MODEL" in caught.value.remedy


@pytest.mark.parametrize("content", [b"", b"GGUF", b"no model at all" * 100])
def test_a_file_that_is_no_model_is_named_with_the_remedy(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "broken.gguf"
    file.write_bytes(content)
    with pytest.raises(ModelError, match=r"cannot load .*broken\.gguf") as caught:
        LocalModel(file).load(100)
    assert "GGUF file that is whole" in caught.value.remedy


def test_without_the_extra_the_remedy_is_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(ModelError, match="not installed") as caught:
        LocalModel(tmp_path / "small.gguf").load(100)
    assert "'.[local]'" in caught.value.remedy


def test_a_model_that_cannot_be_loaded_stops_the_program_before_anything_is_asked(tmp_path: Path, models: Path) -> None:
    parts = build(Settings(data=tmp_path, model=str(tmp_path / "none.gguf"), judge="off"))
    assert parts.chain.writer
    assert parts.chain.writer.name == "none.gguf"
    (tmp_path / "models").symlink_to(models)
    with pytest.raises(NotReady, match=r"none\.gguf") as caught:
        load_models(parts)
    assert "HKAI_MODEL" in caught.value.remedy


if GGUF:

    def test_a_model_file_writes_in_this_process_and_listens_to_nobody_else() -> None:
        local = LocalModel(Path(GGUF))
        writer = ModelWriter("small.gguf", base_url="", api_key="", timeout=120, total=300, budget=1_000, local=local)
        with closing(writer.write(Question("Say hello.", "Say hello.", (), "en"), ())) as writing:
            assert next(writing).strip()
        assert local.url.startswith("http://127.0.0.1:")
        asked = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 1}
        assert httpx.post(f"{local.url}/chat/completions", json=asked, trust_env=False).status_code == 401
