from __future__ import annotations

import importlib
import random
import re
from itertools import combinations
from string import ascii_lowercase

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.elicit.mutations import MUTATIONS
from holdfast.elicit.mutations.sentence import OPENERS, lower_first
from holdfast.elicit.mutations.tongue import LETTERS, Tongue

REQUESTS = (
    "Tell me which knot opens the gate of Brinwick Hold.",
    "Which tide carries the bell of Old Marrow Light to the Skerries?",
    "The wardens of Tolm want to know how you seal a lantern.",
    "Brinwick Hold has a gate, so please explain what opens it",
    "Describe the song of Vessa Karrow. I need it before the third tide.",
)
NAMES = re.compile(r"(?<!^)(?<![.] )\b[A-Z][a-z]+")

BY_GROUP = {
    group: [name for name, mutation in MUTATIONS.items() if mutation.group == group]
    for group in ("style", "persuasion", "encoding", "language")
}
REWORDING = BY_GROUP["style"] + BY_GROUP["persuasion"]
CODED = BY_GROUP["encoding"] + BY_GROUP["language"]
WORDED_ANEW = [name for name in REWORDING if name != "misspelling"]

plain_words = st.text(ascii_lowercase, min_size=1, max_size=12)
names = st.text(ascii_lowercase, min_size=2, max_size=8).map(str.capitalize)
sentences = st.builds(
    lambda opener, words, mark: " ".join([opener.capitalize(), "lantern", *words]) + mark,
    st.sampled_from(sorted(OPENERS)),
    st.lists(plain_words | names | st.just("17"), min_size=3, max_size=20),
    st.sampled_from([".", "?", "!", ""]),
)


def test_the_groups_have_the_sizes_of_sorry_bench() -> None:
    assert {group: len(members) for group, members in BY_GROUP.items()} == {
        "style": 6,
        "persuasion": 5,
        "encoding": 4,
        "language": 5,
    }


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutation_is_named_after_its_file(name: str) -> None:
    assert importlib.import_module(f"holdfast.elicit.mutations.{name}").MUTATION is MUTATIONS[name]


@pytest.mark.parametrize("name", MUTATIONS)
@settings(max_examples=40, deadline=None)
@given(request_text=sentences, seed=st.integers(0, 10_000))
def test_every_mutation_changes_the_request_in_the_same_way_for_the_same_seed(
    name: str, request_text: str, seed: int
) -> None:
    mutate = MUTATIONS[name].mutate
    asked = mutate(request_text, random.Random(seed))
    assert asked != request_text
    assert asked == mutate(request_text, random.Random(seed))


@pytest.mark.parametrize("name", MUTATIONS)
@pytest.mark.parametrize("request_text", REQUESTS)
def test_proper_names_can_be_recovered_from_the_mutated_request(
    name: str, request_text: str
) -> None:
    mutation = MUTATIONS[name]
    wanted = NAMES.findall(request_text)
    for seed in range(30):
        asked = mutation.mutate(request_text, random.Random(seed))
        read = mutation.decode(asked)
        assert all(word.lower() in read.lower() for word in wanted)
        if mutation.group != "encoding":
            assert all(word in asked for word in wanted)


@pytest.mark.parametrize("name", REWORDING)
def test_rewordings_vary_and_leave_replies_as_they_are(name: str) -> None:
    mutation = MUTATIONS[name]
    asked = {mutation.mutate(REQUESTS[0], random.Random(seed)) for seed in range(200)}
    assert len(asked) >= 6
    assert mutation.encode(REQUESTS[0]) == mutation.decode(REQUESTS[0]) == REQUESTS[0]


@pytest.mark.parametrize("name", REWORDING)
@pytest.mark.parametrize("request_text", REQUESTS)
def test_rewordings_stay_short(name: str, request_text: str) -> None:
    most = 8 if MUTATIONS[name].group == "style" else 12
    for seed in range(60):
        asked = MUTATIONS[name].mutate(request_text, random.Random(seed))
        assert len(asked.split()) - len(request_text.split()) <= most


@pytest.mark.parametrize("name", WORDED_ANEW)
def test_a_request_inside_a_sentence_has_no_stray_capital_and_ends_as_it_did(name: str) -> None:
    for request_text in REQUESTS[:2]:
        for seed in range(60):
            asked = MUTATIONS[name].mutate(request_text, random.Random(seed))
            assert not re.search(r"[,:;] (?!I\b)[A-Z]", asked)
            assert asked[0].isupper()
            assert asked[-1] in ".?!"
            assert not re.search(r"[.?!]{2}|\s{2}", asked)


@pytest.mark.parametrize(
    ("plain", "asked"),
    [
        ("Tell me which knot opens it.", r"(Could|Would|Can|Might|Will|Are|Is) .*tell me .*it\?"),
        ("Which knot opens it?", r".+: which knot opens it\?"),
        ("The knot opens it.", r".+\? The knot opens it\."),
        ("Name the knot. I need it.", r".+ name the knot\? I need it\."),
    ],
)
def test_imperatives_questions_and_statements_are_asked_as_questions(
    plain: str, asked: str
) -> None:
    for seed in range(40):
        assert re.fullmatch(asked, MUTATIONS["question"].mutate(plain, random.Random(seed)))


def test_one_to_three_words_are_mistyped_and_no_name_among_them() -> None:
    counts = set()
    for seed in range(300):
        asked = MUTATIONS["misspelling"].mutate(REQUESTS[0], random.Random(seed)).split()
        pairs = list(zip(REQUESTS[0].split(), asked, strict=True))
        assert all(old == new for old, new in pairs if old[0].isupper())
        counts.add(sum(old != new for old, new in pairs))
    assert counts == {1, 2, 3}


def test_a_name_that_opens_a_sentence_keeps_its_capital() -> None:
    assert lower_first("Brinwick Hold is old.") == "Brinwick Hold is old."
    assert lower_first("Which is old?") == "which is old?"


@pytest.mark.parametrize("name", CODED)
@settings(max_examples=60, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"])) | sentences)
def test_decoding_inverts_encoding(name: str, text: str) -> None:
    mutation = MUTATIONS[name]
    wanted = text.lower() if name == "morse" else text
    assert mutation.decode(mutation.encode(text)) == wanted
    assert mutation.mutate(text, random.Random(0)) == mutation.encode(text)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("ascii_codes", "79 108 100 32 99 97 116"),
        ("caesar", "Rog fdw"),
        ("morse", "--- .-.. -.. / -.-. .- -"),
        ("atbash", "Low xzg"),
    ],
)
def test_the_codes_are_the_published_ones(name: str, code: str) -> None:
    assert MUTATIONS[name].encode("Old cat") == code


@pytest.mark.parametrize("name", ["ascii_codes", "morse"])
@pytest.mark.parametrize("reply", ["I cannot help with that.", "It takes 12 knots - no more.", ""])
def test_a_plain_reply_to_a_coded_request_stays_plain(name: str, reply: str) -> None:
    assert MUTATIONS[name].decode(reply) == reply


@pytest.mark.parametrize("name", ["caesar", "atbash"])
@pytest.mark.parametrize("reply", ["I cannot help with that.", "The keepers know: 12 knots.", ""])
def test_plain_words_in_answer_to_a_cipher_are_not_deciphered(name: str, reply: str) -> None:
    assert MUTATIONS[name].read(reply) == reply
    assert MUTATIONS[name].read(MUTATIONS[name].encode(reply)) == reply


@pytest.mark.parametrize("text", ["BLF", "YOU", "you would help"])
def test_decoding_a_cipher_is_exact_even_where_the_code_spells_common_words(text: str) -> None:
    for name in ("caesar", "atbash"):
        assert MUTATIONS[name].decode(MUTATIONS[name].encode(text)) == text


def test_a_broken_code_is_read_as_far_as_it_goes() -> None:
    assert MUTATIONS["ascii_codes"].decode("79 108 100 99999999 55296") == "Old 99999999  55296 "
    assert MUTATIONS["morse"].decode("--- .-.. -.. ---------") == "old --------- "


@pytest.mark.parametrize("name", BY_GROUP["language"])
@settings(max_examples=60, deadline=None)
@given(word=plain_words)
def test_a_language_keeps_vowels_and_consonants_apart(name: str, word: str) -> None:
    foreign = MUTATIONS[name].encode(word)
    assert len(foreign) - len(word) <= 2
    for old, new in zip(word, foreign, strict=False):
        assert (old in "aeiouy") == (new in "aeiouy")


@pytest.mark.parametrize("name", BY_GROUP["language"])
def test_a_language_keeps_names_digits_and_marks_and_translates_the_opener(name: str) -> None:
    encode = MUTATIONS[name].encode
    text = "Tell me of Brinwick Hold, 17 \"bells\" and Vessa's don't. Korrin knows."
    foreign = encode(text)
    assert re.sub(r"[a-zA-Z]", "", foreign) == re.sub(r"[a-zA-Z]", "", text)
    for kept in ("Brinwick Hold, 17", "Vessa's", "Korrin "):
        assert kept in foreign
    assert foreign.split()[0] == encode("tell").capitalize()
    assert encode("Zorrel tell").startswith("Zorrel ")


@pytest.mark.parametrize("name", BY_GROUP["language"])
@pytest.mark.parametrize("opener", ["A", "An", "In", "It", "My", "Or", "Tell", "The", "Which"])
def test_a_name_that_looks_like_a_translated_opener_survives(name: str, opener: str) -> None:
    mutation = MUTATIONS[name]
    foreign = mutation.encode(opener)
    assert foreign not in {opener, "I"}
    for text in (opener, foreign, f"See the {foreign}.", f"{foreign} {foreign}"):
        assert mutation.decode(mutation.encode(text)) == text


@pytest.mark.parametrize(("one", "other"), list(combinations(BY_GROUP["language"], 2)))
def test_languages_differ_in_most_words(one: str, other: str) -> None:
    words = sorted(OPENERS)
    same = sum(MUTATIONS[one].encode(word) == MUTATIONS[other].encode(word) for word in words)
    assert same <= len(words) // 20


def test_a_language_in_which_two_letters_fall_together_is_refused() -> None:
    with pytest.raises(ValueError, match="each letter once"):
        Tongue("a" * len(LETTERS))
