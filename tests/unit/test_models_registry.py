"""The registry of models: what is in it, how users change it, and what they are told when they err."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_neucomback.errors import ConfigError
from pytest_neucomback.models.registry import ModelSpec, load_registry, unknown_model_message

PAPER = ["deepseek-r1", "deepseek-v3", "gpt-4o", "o1", "o3-mini"]


def own(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "models.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def complaint(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load_registry(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


class TestBuiltIn:
    @pytest.mark.parametrize("name", PAPER)
    def test_the_papers_models(self, name: str) -> None:
        """The paper's five models are known, with the paper's token limit and half an hour per reply."""
        spec = load_registry()[name]
        assert spec.max_tokens == 16384
        assert spec.timeout_s == 1800

    def test_entries_are_whole(self) -> None:
        """Every entry has an endpoint over TLS, a key variable, both prices or none, and a date for prices."""
        for name, spec in load_registry().items():
            assert spec.name == name
            assert spec.base_url.startswith("https://")
            assert not spec.base_url.endswith("/")
            assert spec.key_env.endswith("_API_KEY")
            assert (spec.usd_per_mtok_in is None) == (spec.usd_per_mtok_out is None) == (spec.price_as_of is None)

    def test_reasoning_models_get_no_temperature(self) -> None:
        """Models that refuse sampling parameters are sent none."""
        registry = load_registry()
        for name in ("o1", "o3-mini", "gpt-5", "claude-opus-5.5"):
            assert registry[name].sampling == {}


class TestOwnFile:
    def test_new_entry(self, tmp_path: Path) -> None:
        """A new entry needs an endpoint and a model id; the rest has defaults."""
        path = own(tmp_path, "models:\n  mine:\n    base_url: http://localhost:8000/v1\n    model_id: org/m\n")
        registry = load_registry(path)
        assert registry["mine"] == ModelSpec("mine", "http://localhost:8000/v1", "org/m")
        assert set(PAPER) < set(registry)

    def test_override_keeps_the_rest(self, tmp_path: Path) -> None:
        """An entry of a known name changes only the keys it names."""
        path = own(tmp_path, "models:\n  deepseek-r1:\n    base_url: http://gpu:8000/v1\n    max_tokens: null\n")
        spec = load_registry(path)["deepseek-r1"]
        assert spec.base_url == "http://gpu:8000/v1"
        assert spec.max_tokens is None
        assert spec.sampling == load_registry()["deepseek-r1"].sampling

    def test_override_of_a_provider(self, tmp_path: Path) -> None:
        """A provider's change reaches all its models."""
        path = own(tmp_path, "providers:\n  openai:\n    base_url: https://proxy.example.com/v1\n")
        registry = load_registry(path)
        assert registry["gpt-4o"].base_url == registry["o1"].base_url == "https://proxy.example.com/v1"
        assert registry["gpt-4o"].max_tokens_param == "max_completion_tokens"

    def test_own_provider(self, tmp_path: Path) -> None:
        """Models can share a provider of the user's own."""
        text = """
providers:
  lab: {base_url: "http://lab:9000/v1", key_env: LAB_KEY, sampling: {temperature: 0.2}}
models:
  a: {provider: lab, model_id: a}
  b: {provider: lab, model_id: b, sampling: {}, price_as_of: 2026-01-02}
"""
        registry = load_registry(own(tmp_path, text))
        assert registry["a"].sampling == {"temperature": 0.2}
        assert registry["b"].sampling == {}
        assert registry["b"].price_as_of == "2026-01-02"

    def test_empty_file(self, tmp_path: Path) -> None:
        """An empty file changes nothing."""
        assert load_registry(own(tmp_path, "# nothing yet\n")) == load_registry()


class TestMistakes:
    def test_unknown_key(self, tmp_path: Path) -> None:
        """A misspelt key is named with file and entry, the closest and all known keys."""
        path = own(tmp_path, "models:\n  gpt-4o:\n    max_token: 5\n")
        message = complaint(path)
        assert message.startswith(f"{path}: model 'gpt-4o': unknown key 'max_token' (did you mean max_tokens?). ")
        assert "Known keys: provider, model_id, base_url, key_env, " in message

    @pytest.mark.parametrize(
        ("line", "wanted"),
        [
            ("max_tokens: many", "max_tokens: expected a positive whole number or null, not 'many'"),
            ("max_tokens: true", "max_tokens: expected a positive whole number or null, not True"),
            ("max_tokens_param: tokens", "expected max_tokens or max_completion_tokens, not 'tokens'"),
            ("timeout_s: -1", "timeout_s: expected a positive number of seconds, not -1"),
            ("base_url: localhost:8000", "base_url: expected an http(s) URL, not 'localhost:8000'"),
            ("sampling: [0.5]", "sampling: expected a mapping, not [0.5]"),
            ('stream: "yes"', "stream: expected true or false, not 'yes'"),
            ("usd_per_mtok_in: cheap", "usd_per_mtok_in: expected a number of US dollars or null, not 'cheap'"),
            ("key_env: sk-123 456", "key_env: expected the name of an environment variable"),
        ],
    )
    def test_wrong_type(self, tmp_path: Path, line: str, wanted: str) -> None:
        """A value of the wrong kind is quoted beside what is expected."""
        path = own(tmp_path, f"models:\n  gpt-4o:\n    {line}\n")
        message = complaint(path)
        assert message.startswith(f"{path}: model 'gpt-4o': ")
        assert wanted in message

    @pytest.mark.parametrize(
        ("text", "wanted"),
        [
            ("models:\n  m: {model_id: m}\n", "model 'm': base_url is missing."),
            ("models:\n  m: {base_url: 'http://h/v1'}\n", "model 'm': model_id is missing."),
            ("models:\n  m: {provider: opneai, model_id: m}\n", "unknown provider 'opneai'. Known: openai, deepseek, "),
            ("models:\n  'a,b': {}\n", "model 'a,b': names are made of letters, digits"),
            ("models:\n  m: 5\n", "model 'm': expected a mapping."),
            ("model:\n  m: {}\n", "unknown section 'model'. Known: models, providers."),
            ("- m\n", "expected the sections models: and providers:."),
            ("models: [m]\n", "models: expected a mapping from names to entries."),
            ("models: {m: \n", "not readable as YAML: "),
        ],
    )
    def test_wrong_shape(self, tmp_path: Path, text: str, wanted: str) -> None:
        """So is whatever does not have the shape of a registry."""
        path = own(tmp_path, text)
        message = complaint(path)
        assert message.startswith(f"{path}: ")
        assert wanted in message

    def test_missing_file(self, tmp_path: Path) -> None:
        """A file that is not there is an error, not an empty registry."""
        assert "no such file" in complaint(tmp_path / "none.yaml")


class TestUnknownNames:
    @pytest.mark.parametrize(
        ("name", "match"),
        [("deepseek-r2", "deepseek-r1"), ("gpt4o", "gpt-4o"), ("GPT-4O", "gpt-4o"), ("claude", "claude-opus-5")],
    )
    def test_close_match(self, name: str, match: str) -> None:
        """Names that are nearly right are answered with the right one."""
        message = unknown_model_message(name, load_registry())
        assert f"unknown model {name!r}. Did you mean {match}" in message
        assert "`neucomback models`" in message

    def test_no_match(self) -> None:
        """Other names are answered with where to look."""
        assert "Did you mean" not in unknown_model_message("zzz", load_registry())
