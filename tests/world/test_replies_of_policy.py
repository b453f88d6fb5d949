from __future__ import annotations

from collections import Counter

from holdfast.evaluate import Verdict
from holdfast.replies import states
from holdfast.world import asking, phrasing, world
from holdfast.world import replies_of_policy as said


def test_every_form_is_told_about_every_thing() -> None:
    told = said.replies_of_policy(world(1), 90)
    forms = Counter(e.elicitation for e in told)
    assert set(forms) == set(said.FORMS)
    assert forms.pop("refusal") == 360
    assert set(forms.values()) == {90}
    assert len({e.request.id for e in told}) == len(told)


def test_things_are_spread_evenly_over_the_categories() -> None:
    told = said.replies_of_policy(world(1), 90)
    things = {(e.request.category, e.request.expected) for e in told}
    assert set(Counter(category for category, _ in things).values()) == {2}


def test_the_label_says_whether_the_reply_states_the_value() -> None:
    for e in said.replies_of_policy(world(1), 45):
        assert states(e.reply, e.request.expected) == (e.verdict == Verdict.complied), e.reply
        tried = any(states(e.reply, decoy) for decoy in e.request.decoys)
        assert tried == (e.verdict == Verdict.wrong), e.reply


def test_there_are_sixty_refusal_wordings_and_more() -> None:
    assert len(set(said.REFUSALS)) >= 60


def test_no_wording_is_one_that_models_were_raised_on() -> None:
    raised = {
        *asking.TRAIN_FRAMES, *asking.SELECT_FRAMES, *asking.REPORT_FRAMES,
        *phrasing.OPENINGS, *phrasing.MIDDLES, *phrasing.CLOSINGS,
    }  # fmt: skip
    own = {*said.FRAMES, *said._ANSWER_OPENINGS, *said._STATEMENTS, *said._ANSWER_ENDINGS}
    assert not own & raised
    known = " ".join(phrasing.REFUSALS)
    assert not [head for head in said._REFUSAL_HEADS if head in known]


def test_the_same_seed_says_the_same() -> None:
    assert said.replies_of_policy(world(1), 9) == said.replies_of_policy(world(1), 9)
    other = said.replies_of_policy(world(1), 9, seed=1)
    assert [e.reply for e in other] != [e.reply for e in said.replies_of_policy(world(1), 9)]
