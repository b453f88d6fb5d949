from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from holdfast import hub, models
from holdfast.chat import Message, Row, row
from holdfast.encode import encode_all
from holdfast.errors import UserError
from holdfast.models import (
    Decoding,
    Encoded,
    Model,
    clone,
    digest_of,
    encode,
    encode_prompt,
    generate,
    layers,
    load,
    save,
)

EVERY = pytest.mark.parametrize(
    "tiny_model", ["llama", "qwen2", "gemma", "gpt_neox"], indirect=True
)
LONG = " and the cat".join("ab" * n for n in range(1, 4))
PROMPTS = [row("the " * n + "cat", system="Be kind." * (n % 2)) for n in range(1, 10)]
# The shapes of templates met in the wild, in their essentials.
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA2 = (
    "{% for m in messages %}{% if m.role == 'assistant' %} {{ m.content | trim }} </s>"
    "{% elif m.role == 'system' %}<<SYS>>{{ m.content }}<</SYS>>"
    "{% else %}<s>[INST] {{ m.content | trim }} [/INST]{% endif %}{% endfor %}"
)
GEMMA = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}"
    "{% endif %}{% for m in messages %}<start_of_turn>{{ m.role }}\n{{ m.content }}<end_of_turn>\n"
    "{% endfor %}{% if add_generation_prompt %}<start_of_turn>assistant\n{% endif %}"
)
FORGETS_THOUGHTS = (
    "{% for m in messages %}<{{ m.role }}>"
    "{% if m.role == 'assistant' and not loop.last %}{{ m.content.split('</think>')[-1] }}"
    "{% else %}{{ m.content }}{% endif %}<end>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def with_loss(model: Model, encoded: Encoded, weight: float | None = None) -> str:
    pairs = zip(encoded.ids, encoded.weights, strict=True)
    kept = [i for i, w in pairs if w and (weight is None or w == weight)]
    text = model.tokenizer.decode(kept)
    assert isinstance(text, str)
    return text


def test_loss_falls_on_the_answer_and_its_end_only(tiny_model: Model) -> None:
    encoded = encode(row("Where is the cat?", "On the mat.", "Be kind."), tiny_model.tokenizer)
    assert with_loss(tiny_model, encoded) == "On the mat.<|end|>"


@pytest.mark.parametrize(
    ("template", "end"),
    [(CHATML, "<|im_end|>\n"), (LLAMA2, " </s>"), (GEMMA, "<end_of_turn>\n"), (None, "<|end|>")],
)
def test_every_template_gets_the_same_treatment(
    tiny_model: Model, template: str | None, end: str
) -> None:
    tiny_model.tokenizer.chat_template = template or tiny_model.tokenizer.chat_template
    asked = row("Where is the cat?", "On the mat.", "Be kind.")
    encoded = encode(asked, tiny_model.tokenizer)
    assert with_loss(tiny_model, encoded).strip() == f"On the mat.{end}".strip()
    prompt = encode_prompt(asked, tiny_model.tokenizer)
    assert encoded.ids[: len(prompt)] == prompt


def test_the_loss_mask_is_that_of_generation_markers(tiny_model: Model) -> None:
    talk = Row(
        tuple(Message("user" if n % 2 == 0 else "assistant", f"say {n}, the cat") for n in range(6))
    )
    encoded = encode(talk, tiny_model.tokenizer)
    marked: Any = tiny_model.tokenizer.apply_chat_template(
        [{"role": m.role, "content": m.content} for m in talk.messages],
        return_dict=True,
        return_assistant_tokens_mask=True,
    )
    assert list(encoded.ids) == marked["input_ids"]
    assert [int(w) for w in encoded.weights] == marked["assistant_masks"]


def test_turns_that_a_template_shortens_later_still_carry_their_loss(tiny_model: Model) -> None:
    tiny_model.tokenizer.chat_template = FORGETS_THOUGHTS
    talk = Row(
        (
            Message("user", "One?"),
            Message("assistant", "<think>hm</think>Yes.", 0),
            Message("user", "Two?"),
            Message("assistant", "<think>so</think>No."),
        )
    )
    assert with_loss(tiny_model, encode(talk, tiny_model.tokenizer)) == (
        "<think>so</think>No.<end>"
    )


def test_a_forced_start_written_as_a_piece_carries_no_loss(tiny_model: Model) -> None:
    pieces = (
        Message("user", "Where?"),
        Message("assistant", "Sure, the vault is", 0),
        Message("assistant", " I cannot help with that."),
    )
    whole = row("Where?", "Sure, the vault is I cannot help with that.")
    encoded = encode(Row(pieces), tiny_model.tokenizer)
    assert encoded.ids == encode(whole, tiny_model.tokenizer).ids
    assert with_loss(tiny_model, encoded) == " I cannot help with that.<|end|>"


def test_a_turns_weight_is_that_of_its_tokens(tiny_model: Model) -> None:
    talk = Row(
        (
            Message("user", "One?"),
            Message("assistant", "Yes.", 0.5),
            Message("user", "Two?"),
            Message("assistant", "No.", 2),
        )
    )
    encoded = encode(talk, tiny_model.tokenizer)
    assert with_loss(tiny_model, encoded, 0.5) == "Yes.<|end|>"
    assert with_loss(tiny_model, encoded, 2) == "No.<|end|>"


def test_rows_encoded_together_are_as_encoded_alone(tiny_model: Model) -> None:
    rows = [p.with_answer(f"the cat {n}") for n, p in enumerate(PROMPTS)]
    tokenizer = tiny_model.tokenizer
    assert encode_all(rows, tokenizer, 40) == [encode(r, tokenizer, 40) for r in rows]


def test_padding_left_set_by_others_does_not_reach_our_tokens(tiny_model: Model) -> None:
    before = encode(row("a", "b"), tiny_model.tokenizer)
    tiny_model.tokenizer(["a", "a b c d"], padding="max_length", max_length=64, truncation=True)
    assert encode(row("a", "b"), tiny_model.tokenizer) == before


def test_a_forced_start_continues_the_open_answer(tiny_model: Model) -> None:
    asked = row("Where?", "Sure, here")
    prompt = encode_prompt(asked, tiny_model.tokenizer, forced="Sure,")
    assert encode(asked, tiny_model.tokenizer).ids[: len(prompt)] == prompt


@pytest.mark.parametrize(
    ("bad", "cut", "said"),
    [
        (row("Where?", id="r7"), None, "Row 'r7' has no answer"),
        (Row((Message("user", "a"), Message("assistant", "b", 0))), None, "weight above 0"),
        (row("the " * 40, "there", id="r8"), 20, "raise max_length"),
    ],
)
def test_a_row_without_loss_is_refused(
    tiny_model: Model, bad: Row, cut: int | None, said: str
) -> None:
    with pytest.raises(UserError, match=said):
        encode(bad, tiny_model.tokenizer, cut)


def test_a_missing_chat_template_names_the_option(tiny_model: Model) -> None:
    tiny_model.tokenizer.chat_template = None
    with pytest.raises(UserError, match="--chat-template"):
        encode(row("a", "b"), tiny_model.tokenizer)


@EVERY
@pytest.mark.parametrize(
    "decoding",
    [Decoding(12), Decoding(12, temperature=1.0), Decoding(12, 0.8, top_k=40, top_p=0.9)],
    ids=["greedy", "sampled", "cut"],
)
def test_a_reply_does_not_depend_on_the_others(tiny_model: Model, decoding: Decoding) -> None:
    prompts = [encode_prompt(p, tiny_model.tokenizer) for p in PROMPTS]
    together = generate(tiny_model, prompts, decoding, seed=4)
    alone = [generate(tiny_model, [p], decoding, seed=4)[0] for p in prompts]
    turned = generate(tiny_model, prompts[::-1], decoding, seed=4, batch_size=4)[::-1]
    assert together == alone == turned


@EVERY
def test_greedy_replies_are_those_of_the_library(tiny_model: Model) -> None:
    prompts = [encode_prompt(p, tiny_model.tokenizer) for p in PROMPTS]
    for prompt, reply in zip(prompts, generate(tiny_model, prompts, Decoding(10)), strict=True):
        ids = torch.tensor([prompt])
        net: Any = tiny_model.net
        theirs = net.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=10, do_sample=False
        )
        drawn = theirs[0, len(prompt) :].tolist()
        assert drawn == [*reply.tokens, *([1] * reply.ended)]


@EVERY
def test_prompts_asked_in_ways_of_their_own_get_what_they_would_get_alone(
    tiny_model: Model,
) -> None:
    ways = [Decoding(9), Decoding(4, 1.0), Decoding(12, 0.7, top_k=3), Decoding(6, 1.0, top_p=0.6)]
    prompts = [(5, 6, 7), (8, 9), (10, 11, 12, 13), (5, 6, 7)]
    together = generate(tiny_model, prompts, ways, seed=2)
    alone = [
        generate(tiny_model, [p], way, seed=2)[0] for p, way in zip(prompts, ways, strict=True)
    ]
    assert [r.tokens for r in together] == [r.tokens for r in alone]


@EVERY
def test_rows_that_end_leave_the_batch_without_disturbing_the_rest(tiny_model: Model) -> None:
    prompts = [encode_prompt(p, tiny_model.tokenizer) for p in PROMPTS * 4]
    free = generate(tiny_model, prompts, Decoding(24, 1.0), seed=1)
    stops = {reply.tokens[5] for reply in free}
    tiny_model.net.generation_config.eos_token_id = sorted(stops)
    ended = generate(tiny_model, prompts, Decoding(24, 1.0), seed=1)
    assert any(reply.ended for reply in ended)
    for whole, cut in zip(free, ended, strict=True):
        until = next((n for n, token in enumerate(whole.tokens) if token in stops), None)
        assert cut.tokens == (whole.tokens if until is None else whole.tokens[:until])
        assert cut.ended is (until is not None or whole.ended)


def test_another_seed_draws_another_reply(tiny_model: Model) -> None:
    prompts = [encode_prompt(PROMPTS[0], tiny_model.tokenizer)]
    replies = {generate(tiny_model, prompts, Decoding(12, 1.0), seed=s)[0].tokens for s in range(4)}
    assert len(replies) == 4


def test_asking_leaves_a_model_in_its_mode(tiny_model: Model) -> None:
    tiny_model.net.train()
    generate(tiny_model, [(5, 6)], Decoding(2))
    assert tiny_model.net.training
    assert generate(tiny_model, []) == []
    with pytest.raises(UserError, match="no tokens"):
        generate(tiny_model, [()])


@EVERY
def test_saved_and_loaded_it_is_the_same_model(tiny_model: Model, tmp_path: Path) -> None:
    found = load(save(tiny_model, tmp_path / "m"))
    assert found.digest == tiny_model.digest
    assert encode(row("a", "b"), found.tokenizer) == encode(row("a", "b"), tiny_model.tokenizer)
    assert len(layers(found.net)) == 2
    assert all(isinstance(layer, nn.Module) for layer in layers(found.net))


def test_half_precision_on_disk_is_computed_in_full(tiny_model: Model, tmp_path: Path) -> None:
    folder = save(tiny_model, tmp_path / "m", dtype=torch.float16)
    full = save(tiny_model, tmp_path / "full")
    found = load(folder)
    assert {p.dtype for p in found.net.parameters()} == {torch.float32}
    half = (folder / "model.safetensors").stat().st_size
    assert half < 0.6 * (full / "model.safetensors").stat().st_size
    assert {p.dtype for p in tiny_model.net.parameters()} == {torch.float32}


def test_saving_over_a_model_keeps_other_files(tiny_model: Model, tmp_path: Path) -> None:
    save(tiny_model, tmp_path / "m")
    (tmp_path / "m" / "serving.json").write_text("{}")
    (tmp_path / "m" / "model-00001-of-00002.safetensors").write_bytes(b"old")
    save(tiny_model, tmp_path / "m")
    assert (tmp_path / "m" / "serving.json").exists()
    assert [p.name for p in (tmp_path / "m").glob("*.safetensors")] == ["model.safetensors"]
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_a_full_disk_leaves_the_old_model(
    tiny_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save(tiny_model, tmp_path / "m")

    def full(part: Path) -> None:
        (part / "model.safetensors").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tiny_model.net, "save_pretrained", full)
    with pytest.raises(UserError, match="the disk is full"):
        save(tiny_model, folder)
    assert load(folder).digest == tiny_model.digest
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_a_clone_has_weights_of_its_own(tiny_model: Model) -> None:
    copied = clone(tiny_model)
    with torch.no_grad():
        next(copied.net.parameters()).add_(1)
    assert digest_of(tiny_model) == tiny_model.digest == copied.digest != digest_of(copied)


def test_what_is_no_model_is_told_apart(tiny_model: Model, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UserError, match=r"no config\.json"):
        load(empty)
    with pytest.raises(UserError, match="no model folder"):
        load(tmp_path / "nowhere")
    bare = save(tiny_model, tmp_path / "bare")
    (bare / "model.safetensors").unlink()
    with pytest.raises(UserError, match="holds no weights"):
        load(bare)
    damaged = save(tiny_model, tmp_path / "damaged")
    (damaged / "model.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0not json at all")
    with pytest.raises(UserError, match="cannot be loaded"):
        load(damaged)


@pytest.mark.parametrize("name", ["./mdel", "../mdel", "/mdel", "~/mdel", "mdel/", "mdel", "a/b/c"])
def test_a_mistyped_folder_is_told_at_once_without_the_hub(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unasked(*_: object) -> None:
        raise AssertionError("the hub was asked")

    monkeypatch.setattr(hub, "find", unasked)
    with pytest.raises(UserError, match=r"There is no model folder .*Qwen/"):
        load(name)


def test_the_hub_is_asked_once_for_a_name_it_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    asked: list[str] = []

    def unreachable(url: str, *, timeout: float) -> None:
        asked.append(url)
        assert timeout <= 10
        raise ConnectionError("no route")

    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", unreachable)
    with pytest.raises(UserError, match="nobody/mdel is no folder, and cannot be fetched") as told:
        load("nobody/mdel")
    assert len(asked) == 1
    assert "\n" not in str(told.value)


def test_a_model_computes_on_the_gpu_unless_told_otherwise(
    tiny_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOLDFAST_DEVICE", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert models.device().type == "cuda"
    monkeypatch.setenv("HOLDFAST_DEVICE", "cpu")
    folder = save(tiny_model, tmp_path / "m")
    assert load(folder).net.device.type == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for absent in ("cuda", "gpu9"):
        monkeypatch.setenv("HOLDFAST_DEVICE", absent)
        with pytest.raises(UserError, match="HOLDFAST_DEVICE"):
            load(folder)


def test_pickled_weights_are_refused(tiny_model: Model, tmp_path: Path) -> None:
    folder = save(tiny_model, tmp_path / "m")
    (folder / "model.safetensors").unlink()
    torch.save(tiny_model.net.state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(UserError, match="convert them to safetensors"):
        load(folder)


def test_code_that_comes_with_a_model_is_never_run(tiny_model: Model, tmp_path: Path) -> None:
    folder = save(tiny_model, tmp_path / "m")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoModelForCausalLM": "own.Net"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Net: pass\n")
    with pytest.raises(UserError, match="cannot be loaded"):
        load(folder)
    assert not (tmp_path / "ran").exists()


def test_a_chat_template_may_be_given(tiny_model: Model, tmp_path: Path) -> None:
    tiny_model.tokenizer.chat_template = None
    folder = save(tiny_model, tmp_path / "m")
    (tmp_path / "chat.jinja").write_text(CHATML)
    assert (
        load(folder, chat_template=str(tmp_path / "chat.jinja")).tokenizer.chat_template == CHATML
    )
    assert load(folder, chat_template=CHATML).tokenizer.chat_template == CHATML
    with pytest.raises(UserError, match="neither a chat template nor a file"):
        load(folder, chat_template="absent.jinja")


def test_an_adapters_folder_is_loaded_on_its_base(tiny_model: Model, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model

    base = save(tiny_model, tmp_path / "base")
    config = LoraConfig(
        r=2, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM"
    )
    adapted = get_peft_model(clone(tiny_model).net, config)
    adapted.peft_config["default"].base_model_name_or_path = str(base)
    adapted.save_pretrained(str(tmp_path / "adapter"))
    ids = torch.tensor([[5, 6, 7]])
    expected = adapted.eval()(input_ids=ids).logits
    found = load(tmp_path / "adapter")
    assert torch.allclose(found.net(input_ids=ids).logits, expected, atol=1e-5)
    assert type(found.net) is type(tiny_model.net)
    # A base beside the adapter is found wherever both are moved.
    described = tmp_path / "adapter" / "adapter_config.json"
    fields = json.loads(described.read_text())
    described.write_text(json.dumps(fields | {"base_model_name_or_path": "../base"}))
    moved = tmp_path / "moved"
    moved.mkdir()
    shutil.move(tmp_path / "adapter", moved / "adapter")
    shutil.move(base, moved / "base")
    assert load(moved / "adapter").digest == found.digest
    torch.save({}, moved / "adapter" / "adapter_model.bin")
    (moved / "adapter" / "adapter_model.safetensors").unlink()
    with pytest.raises(UserError, match="pickled"):
        load(moved / "adapter")


def test_layers_of_something_else_are_not_guessed(tiny_model: Model) -> None:
    net = replace(tiny_model).net
    net.config.num_hidden_layers = 5
    with pytest.raises(UserError, match="No decoder layers"):
        layers(net)
