from __future__ import annotations

from pathlib import Path

import pytest

from assistant.errors import BadSettings
from assistant.settings import Settings, load
from index.embedder import DEFAULT


def _load(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return load()


def test_every_setting_has_a_default() -> None:
    settings = load()
    assert (settings.data, settings.embedder, settings.model, settings.host, settings.port) == (Path("data"), DEFAULT, "", "127.0.0.1", 7860)
    assert not settings.writes


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _load(
        monkeypatch, HKAI_DATA="/srv/hkai", HKAI_MODEL="small", HKAI_MODEL_TIMEOUT="2.5", OPENAI_BASE_URL="http://127.0.0.1:1/v1", OPENAI_API_KEY="secret"
    )
    assert (settings.data, settings.model, settings.model_timeout) == (Path("/srv/hkai"), "small", 2.5)
    assert (settings.openai_base_url, settings.openai_api_key) == ("http://127.0.0.1:1/v1", "secret")


def test_a_env_file_is_read_and_the_environment_goes_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("HKAI_MODEL=from-file\nHKAI_PORT=7000\nOPENAI_API_KEY=secret\n", encoding="utf-8")
    settings = _load(monkeypatch, HKAI_PORT="7001")
    assert (settings.model, settings.port, settings.openai_api_key) == ("from-file", 7001, "secret")


@pytest.mark.parametrize("name", ["HKAI_MODLE", "HKAI_OPENAI_API_KEY_", "HKAI_"])
def test_an_unknown_setting_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with pytest.raises(BadSettings, match=f"Unknown setting {name}") as caught:
        _load(monkeypatch, **{name: "x"})
    assert ".env.example" in caught.value.remedy


def test_an_unknown_setting_in_the_env_file_is_refused_by_name() -> None:
    Path(".env").write_text("HKAI_MODLE=small\n", encoding="utf-8")
    with pytest.raises(BadSettings, match="HKAI_MODLE"):
        load()


def test_what_only_the_tests_read_is_no_unknown_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    _load(monkeypatch, HKAI_TEST_SEEDS="/nowhere")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HKAI_PORT", "0"),
        ("HKAI_PORT", "70000"),
        ("HKAI_PORT", "many"),
        ("HKAI_MODEL_TIMEOUT", "-1"),
        ("HKAI_MODEL_TIMEOUT", "nan"),
        ("HKAI_MODEL_TOTAL", "0"),
        ("HKAI_MAX_FILE_MB", "0"),
        ("HKAI_MAX_FILE_MB", "inf"),
        ("HKAI_CHROMA", "localhost:8000"),
        ("HKAI_DATABASE", "mysql://127.0.0.1/hkai"),
        ("HKAI_DATABASE", "conversations.db"),
        ("HKAI_EMBEDDER", ""),
        ("HKAI_HOST", ""),
    ],
)
def test_an_impossible_value_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    with pytest.raises(BadSettings, match=name.removeprefix("HKAI_")):
        _load(monkeypatch, **{name: value})


def test_every_fault_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadSettings) as caught:
        _load(monkeypatch, HKAI_PORT="many", HKAI_MODEL_TOTAL="0")
    assert "PORT" in caught.value.message
    assert "MODEL_TOTAL" in caught.value.message


def test_port_sets_the_port_unless_hkai_port_does(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _load(monkeypatch, PORT="7001").port == 7001
    assert _load(monkeypatch, PORT="7001", HKAI_PORT="7002").port == 7002


def test_an_impossible_port_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadSettings, match="PORT"):
        _load(monkeypatch, PORT="http")


@pytest.mark.parametrize(
    ("environment", "writes"),
    [
        ({"HKAI_MODEL": "small"}, False),
        ({"OPENAI_API_KEY": "secret"}, False),
        ({"HKAI_MODEL": "small", "OPENAI_API_KEY": "secret"}, True),
        ({"HKAI_MODEL": "small", "OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}, True),
    ],
)
def test_a_model_writes_when_it_has_a_name_and_an_endpoint(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], writes: bool) -> None:
    assert _load(monkeypatch, **environment).writes is writes


def test_the_fingerprint_names_what_changes_answers_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = load().fingerprint
    assert _load(monkeypatch, OPENAI_API_KEY="secret", HKAI_PORT="7001").fingerprint == plain
    assert _load(monkeypatch, HKAI_MODEL="small").fingerprint != plain


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load().port = 1
