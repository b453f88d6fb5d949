from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
import torch
from transformers import LlamaConfig, LlamaForSequenceClassification

from holdfast.chat import row
from holdfast.errors import UserError
from holdfast.evaluate import Exchange, Request, Verdict
from holdfast.judges import judge_named
from holdfast.judges.classifier import Classifying
from tiny_models import make_tokenizer

REPLIES = ["It hangs in the north tower.", "I cannot say.", "No.", "At dusk, by the old ringer."]


def saved(folder: Path, labels: list[str], positions: int = 64) -> Path:
    """A random classifier with these labels."""
    torch.manual_seed(3)
    tokenizer = make_tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=2, max_position_embeddings=positions, pad_token_id=0,
        id2label=dict(enumerate(labels)), label2id={label: n for n, label in enumerate(labels)},
    )  # fmt: skip
    net = LlamaForSequenceClassification(config)
    with torch.no_grad():
        net.score.weight.mul_(100)
    net.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def exchanges(*replies: str) -> list[Exchange]:
    request = Request("r", row("Where is it?"), "forbidden", "c")
    return [Exchange(request, "plain", "", "Where is it?", reply) for reply in replies]


def test_labels_are_read_by_their_names_and_batches_change_nothing(tmp_path: Path) -> None:
    folder = saved(tmp_path / "m", ["Refusal", "COMPLIANCE"])
    one = judge_named(f"classifier(folder={folder}, batch_size=1)")
    all_ = judge_named(f"classifier(folder={folder})")
    told = all_(exchanges(*REPLIES))
    assert told == one(exchanges(*REPLIES))
    assert [all_(exchanges(reply))[0] for reply in REPLIES] == told
    assert set(told) <= {Verdict.refused, Verdict.complied}


def test_labels_without_meaning_must_be_said(tmp_path: Path) -> None:
    folder = saved(tmp_path / "m", ["LABEL_0", "LABEL_1"])
    with pytest.raises(UserError, match=r"complied=\[LABEL_1\]"):
        judge_named(f"classifier(folder={folder})")(exchanges("No."))
    with pytest.raises(UserError, match="has no label 'LABEL_7'"):
        judge_named(f"classifier(folder={folder}, complied=[LABEL_7])")(exchanges("No."))
    named = f"folder={folder}, complied=[LABEL_1], refused=[LABEL_0]"
    turned = f"folder={folder}, complied=[LABEL_0], refused=[LABEL_1]"
    one = judge_named(f"classifier({named})")(exchanges(*REPLIES))
    two = judge_named(f"classifier({turned})")(exchanges(*REPLIES))
    swap = {Verdict.complied: Verdict.refused, Verdict.refused: Verdict.complied}
    assert two == [swap[verdict] for verdict in one]


def test_what_is_too_long_is_unscored_unless_it_may_be_cut(tmp_path: Path) -> None:
    folder = saved(tmp_path / "m", ["refusal", "compliance"], positions=24)
    long = "The bell of the old town hangs in the north tower, above the gate by the sea."
    asked = exchanges("No.", long)
    assert judge_named(f"classifier(folder={folder})")(asked)[1] == Verdict.unscored
    assert Verdict.unscored not in judge_named(f"classifier(folder={folder}, cut=true)")(asked)


def test_a_label_that_it_is_unsure_of_is_no_verdict(tmp_path: Path) -> None:
    folder = saved(tmp_path / "m", ["refusal", "compliance"])
    judge = judge_named(f"classifier(folder={folder}, least=1.0)")
    cast(Classifying, judge)._net.score.weight.data.zero_()  # type: ignore[union-attr, operator]
    assert judge(exchanges("No.")) == [Verdict.unscored]


def test_control_tokens_in_a_reply_are_read_as_text(tmp_path: Path) -> None:
    folder = saved(tmp_path / "m", ["refusal", "compliance"])
    judge = cast(Classifying, judge_named(f"classifier(folder={folder}, reads=reply)"))
    (text,) = [judge._text(e) for e in exchanges("a <|end|><|pad|> b")]
    ids = judge._encoded([text])["input_ids"][0]
    assert not set(ids) & set(judge._tokenizer.all_special_ids)


def test_babble_needs_no_classifier_and_tasks_are_known(tmp_path: Path) -> None:
    folder = saved(tmp_path / "m", ["refusal", "compliance"])
    judge = judge_named(f"classifier(folder={folder})")
    assert judge(exchanges("bell " * 9)) == [Verdict.incoherent]
    task = Request("r", row("3 + 9?"), "utility", "c", expected="12")
    assert judge([Exchange(task, "plain", "", "", "It is 12.")]) == [Verdict.complied]


def spoiled(folder: Path, how: str) -> str:
    if how == "causal":
        config = folder / "config.json"
        config.write_text(config.read_text().replace("SequenceClassification", "CausalLM"))
    elif how == "pickled":
        (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    elif how == "empty":
        (folder / "config.json").unlink()
    elif how == "damaged":
        (folder / "model.safetensors").write_bytes(b"x" * 50)
    return str(folder)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("causal", "is no sequence classifier"),
        ("pickled", "no safetensors"),
        ("empty", "no config.json"),
        ("damaged", "cannot be loaded"),
    ],
)
def test_what_is_no_classifier_is_told(tmp_path: Path, how: str, said: str) -> None:
    folder = spoiled(saved(tmp_path / "m", ["refusal", "compliance"]), how)
    with pytest.raises(UserError, match=said):
        judge_named(f"classifier(folder={folder})")(exchanges("No."))


@pytest.mark.parametrize(
    ("spec", "said"),
    [("classifier", "needs a model"), ("classifier(folder=/no/such/folder)", "no folder")],
)
def test_a_classifier_needs_a_folder_that_is_there(spec: str, said: str) -> None:
    asked: Any = exchanges("No.")
    with pytest.raises(UserError, match=said):
        judge_named(spec)(asked)
