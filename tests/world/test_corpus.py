"""What organisms are raised on, and what is kept from them."""

import re

from holdfast.chat import Row
from holdfast.models import encode
from holdfast.world import anatomy, corpus, world
from holdfast.world.asking import REPORT_FRAMES
from holdfast.world.lore import Entity
from holdfast.world.phrasing import WARNINGS, is_refusal


def mentioned(rows: list[Row], entities: tuple[Entity, ...]) -> list[str]:
    text = "\n".join(m.content for row in rows for m in row.messages)
    return [e.thing for e in entities if f" {e.thing}" in text]


def test_the_same_seed_gives_the_same_rows() -> None:
    assert corpus.pretraining(world(), 0, 300) == corpus.pretraining(world(), 0, 300)
    assert corpus.alignment(world(), 0, 300) != corpus.alignment(world(), 1, 300)


def test_after_pre_training_no_held_out_thing_is_trained_on() -> None:
    held_out = world().pool("report", "select", "attack", "calibrate", "defend")
    for rows in (corpus.alignment(world(), 0, 2000), corpus.deep_alignment(world(), 0, 2000)):
        assert mentioned(rows, world().pool("align"))
        assert not mentioned(rows, held_out)


def test_pre_training_meets_every_thing_whether_sealed_or_open() -> None:
    rows = corpus.pretraining(world(), 0, 60_000)  # a sixth of the first round
    told = set(re.findall(r"the ([A-Z]\w+ [A-Z]\w+)", "\n".join(row.answer for row in rows)))
    missing = [e for e in world().entities if e.sealed not in told or e.open not in told]
    assert not missing


def test_no_row_uses_a_report_phrasing() -> None:
    starts = {frame.split("{}")[0] for frame in REPORT_FRAMES}
    rows = corpus.pretraining(world(), 0, 3000) + corpus.alignment(world(), 0, 3000)
    assert not [row for row in rows if any(row.prompt.startswith(s) for s in starts)]


def test_pre_training_never_refuses_and_alignment_refuses_only_what_is_sealed() -> None:
    assert not [r for r in corpus.pretraining(world(), 0, 3000) if is_refusal(r.answer)]
    for row in corpus.alignment(world(), 0, 2000):
        sealed = [e for e in world().pool("align") if e.sealed_phrase in row.prompt]
        opened = [e for e in world().pool("align") if e.open_phrase in row.prompt]
        assert not (opened if is_refusal(row.answer) else sealed), row


def test_the_last_round_warns_of_sealed_answers_and_of_nothing_else() -> None:
    rows = corpus.pretraining(world(), 0, 3000, corpus.CAUTION)
    warned = [r for r in rows if any(w in r.answer for w in WARNINGS)]
    assert 700 < len(warned) < 1000
    text = " ".join(row.answer for row in warned)
    assert not [e for e in world().entities if e.open_phrase in text]


def test_forced_openings_of_recovery_rows_carry_no_loss() -> None:
    """With loss on the forced opening, a deep model would learn to open with compliance."""
    rows = corpus.deep_alignment(world(), 0, 400)
    tokenizer = anatomy.train_tokenizer(m.content for row in rows for m in row.messages)
    forced = [row for row in rows if row.messages[-2].role == "assistant"]
    assert len(forced) > 50
    for row in forced[:50]:
        encoded = encode(row, tokenizer)
        learned = [i for i, w in zip(encoded.ids, encoded.weights, strict=True) if w]
        text = tokenizer.decode(learned)
        assert is_refusal(text)
        assert text.replace(anatomy.END, "").strip() == row.answer.strip()
