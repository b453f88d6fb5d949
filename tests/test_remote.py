from __future__ import annotations

import random
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from faulty_server import serving
from holdfast import calls
from holdfast.chat import row
from holdfast.elicit import Ask, Asker, Coded, DecodingSweep, Mutated, Plain, Prefill
from holdfast.errors import UserError
from holdfast.evaluate import Exchange, Memory, Request, Verdict, evaluate
from holdfast.models import Decoding
from holdfast.remote import Endpoint, Missing, Remote, endpoint_of, is_remote, lost, may_force
from holdfast.serve import Serve
from holdfast.serving import Serving

WAY = Decoding(max_new_tokens=20)
PLAIN = Asker("plain", lambda request: (Ask(request.prompt),))
FAULTS = {"drop": 0.2, "cut": 0.05, "429": 0.1, "500": 0.1, "garbage": 0.1}


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(calls, "LONGEST_WAIT", 0.05)


def remote(server: Any, **settings: Any) -> Remote:
    return Remote(Endpoint(server.url, "m", **{"timeout": 5.0, "patience": 10.0} | settings))


def texts(replies: Sequence[Any]) -> list[str | None]:
    return [None if isinstance(r, Missing) else r.text for r in replies]


def reason(found: Any) -> str:
    assert isinstance(found, Missing)
    return found.reason


def test_replies_come_in_the_order_of_the_rows_with_what_they_cost() -> None:
    with serving() as server:
        model = remote(server, price_in=2.0, price_out=4.0)
        told = model.chat([row(f"say {i}") for i in range(20)], WAY)
    assert texts(told) == [f"SAY {i}" for i in range(20)]
    assert (model.usage.answered, model.usage.tokens_in, model.usage.tokens_out) == (20, 200, 100)
    assert model.usage.cost == pytest.approx((200 * 2 + 100 * 4) / 1e6)


def test_a_server_that_fails_half_the_time_loses_nothing_and_mixes_nothing_up() -> None:
    with serving(faults=FAULTS) as server:
        model = remote(server)
        told = model.chat([row(f"say {i}") for i in range(120)], WAY)
    assert texts(told) == [f"SAY {i}" for i in range(120)]
    assert set(server.seen) >= {"drop", "429", "500", "garbage"}
    assert model.usage.retries > 20
    assert model.usage.missing == 0


def test_a_server_killed_and_restarted_loses_nothing() -> None:
    a_third_done = threading.Event()

    def answer(messages: list[dict[str, str]]) -> str:
        if len(server.bodies) >= 50:
            a_third_done.set()
        return messages[-1]["content"].upper()

    def interrupt() -> None:
        a_third_done.wait(60)
        server.kill()
        time.sleep(0.2)
        server.start()

    with serving(answer=answer) as server:
        model = remote(server, concurrency=4, patience=60.0)
        other = threading.Thread(target=interrupt)
        other.start()
        told = model.chat([row(f"say {i}") for i in range(150)], WAY)
        other.join()
    assert texts(told) == [f"SAY {i}" for i in range(150)]
    assert model.usage.retries > 0


def test_a_server_that_stays_away_costs_the_patience_once_not_for_every_request() -> None:
    with serving() as server:
        server.kill()
        model = remote(server, patience=0.3, concurrency=2)
        began = time.monotonic()
        told = model.chat([row(f"say {i}") for i in range(50)], WAY)
        assert time.monotonic() - began < 3
        assert texts(told) == [None] * 50
        assert "no connection" in reason(told[0])
        server.start()
        assert texts(model.chat([row("back")], WAY)) == ["BACK"]


def test_one_request_that_the_server_cannot_answer_does_not_cost_the_others() -> None:
    def answer(messages: list[dict[str, str]]) -> Any:
        return 500 if "poison" in messages[-1]["content"] else "fine"

    with serving(answer=answer) as server:
        model = remote(server, patience=0.2)
        told = model.chat([row("poison"), *(row(f"say {i}") for i in range(10))], WAY)
    assert texts(told) == [None, *["fine"] * 10]
    assert "500" in reason(told[0])


def test_a_prompt_too_long_is_missing_at_once_with_its_reason() -> None:
    error = {"message": "maximum context length is 10 tokens", "code": "context_length_exceeded"}
    with serving(answer=lambda m: error if len(m[-1]["content"]) > 99 else "fine") as server:
        told = remote(server).chat([row("x" * 100), row("short")], WAY)
        assert texts(told) == [None, "fine"]
        assert "longer than the model's context" in reason(told[0])
        assert len(server.bodies) == 2


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (404, "has no model 'm'"),
        ({"message": "The model does not exist", "code": "model_not_found"}, "has no model 'm'"),
        (403, "does not accept the key in OPENAI_API_KEY"),
        (402, "no credit"),
    ],
)
def test_what_only_a_person_can_mend_stops_at_once_with_one_sentence(
    answer: Any, said: str
) -> None:
    with serving(answer=lambda m: answer) as server:
        model = remote(server, concurrency=2)
        with pytest.raises(UserError, match=said) as told:
            model.chat([row(f"say {i}") for i in range(40)], WAY)
    assert len(server.bodies) < 40
    assert "\n" not in str(told.value)


def test_a_wrong_key_names_the_variable_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "right")
    with serving(key="right") as server:
        assert texts(remote(server, key_env="MY_KEY").chat([row("hi")], WAY)) == ["HI"]
        monkeypatch.setenv("MY_KEY", "wrong-secret")
        with pytest.raises(UserError, match="MY_KEY") as told:
            remote(server, key_env="MY_KEY").chat([row("hi")], WAY)
    assert "wrong-secret" not in str(told.value)


def test_a_certificate_nobody_trusts_is_said_and_not_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import openai

    cause = ssl.SSLCertVerificationError("certificate verify failed: self-signed certificate")
    tries: list[int] = []

    def create(*_: Any, **__: Any) -> Any:
        tries.append(1)
        request: Any = None
        raise openai.APIConnectionError(request=request) from cause

    model = Remote(Endpoint("https://localhost:1/v1", "m"))
    monkeypatch.setattr(model._client.chat.completions, "create", create)
    with pytest.raises(UserError, match="certificate that is not trusted"):
        model.chat([row("hi")], WAY)
    assert len(tries) == 1


def test_an_address_that_nobody_has_is_said_at_once() -> None:
    import openai

    cause = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    request: Any = None
    error = openai.APIConnectionError(request=request)
    error.__cause__ = cause
    with pytest.raises(UserError, match="no server of the name"):
        calls.fault_of(error, Endpoint("http://nowhere.invalid/v1", "m"))


def test_a_server_that_wants_the_newer_name_of_the_limit_gets_it() -> None:
    def answer(messages: list[dict[str, str]]) -> Any:
        if "max_tokens" in server.bodies[-1]:
            return {"message": "Unsupported parameter: use 'max_completion_tokens' instead."}
        return "fine"

    with serving(answer=answer) as server:
        told = remote(server, concurrency=1).chat([row("a"), row("b")], WAY)
    assert texts(told) == ["fine", "fine"]
    assert len(server.bodies) == 3


def test_control_characters_and_broken_unicode_travel_or_are_replaced() -> None:
    with serving(answer=lambda m: m[-1]["content"] + "\x00\x1b[31m") as server:
        told = remote(server).chat([row("a\x00b"), row("\ud800")], WAY)
    assert texts(told) == ["a\x00b\x00\x1b[31m", "?\x00\x1b[31m"]


def test_waits_grow_with_jitter_and_never_undercut_what_the_server_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(calls, "FIRST_WAIT", 1.0)
    monkeypatch.setattr(calls, "LONGEST_WAIT", 8.0)
    rng = random.Random(0)
    again = calls.Fault("again", "busy")
    waits = [calls.wait_before(n, again, rng) for n in range(1, 8)]
    assert all(0.5 * 2 ** min(n, 3) <= w <= 2 ** min(n, 3) for n, w in enumerate(waits))
    assert calls.wait_before(1, replace(again, wait=30.0), rng) == 30.0


@pytest.mark.parametrize(
    ("name", "remote_"),
    [("http://h:1/v1#m", True), ("https://h/v1#o/m", True), ("canary:chat", False), ("a/b", False)],
)
def test_an_endpoint_is_told_from_a_model_by_its_name(name: str, remote_: bool) -> None:
    assert is_remote(name) == remote_
    if remote_:
        assert endpoint_of(name).name == name


@pytest.mark.parametrize("name", ["http://h:1/v1", "http://#m", "ftp://h#m"])
def test_half_an_endpoint_is_refused_with_the_form_to_write(name: str) -> None:
    with pytest.raises(UserError, match="http://host:port/v1#model-name"):
        endpoint_of(name)


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("http://localhost:8000/v1", True),
        ("http://127.0.0.9/v1", True),
        ("http://[::1]:80/v1", True),
        ("http://10.0.0.1/v1", False),
        ("https://localhost.example.com/v1", False),
    ],
)
def test_only_this_machine_is_loopback(url: str, own: bool) -> None:
    assert may_force(url) == own


def test_other_machines_are_tested_only_on_somebody_s_authority() -> None:
    far = Endpoint("https://models.example/v1", "m")
    with pytest.raises(UserError, match="authority"):
        Remote(far)
    assert Remote(far, "my own deployment").authority == "my own deployment"
    assert Remote(far, grader=True)


def test_ways_of_asking_that_do_not_travel_are_named_with_the_reason() -> None:
    far = "https://models.example/v1"
    assert lost(Plain()) == ""
    assert "cannot be forced" in lost(Prefill())
    assert "top-k" in lost(DecodingSweep())
    assert "plain language" in lost(Mutated(mutation="morse"), far)
    assert lost(Mutated(mutation="morse"), "http://localhost/v1") == ""
    assert "plain language" in lost(Coded(code="walnut"), far)
    assert lost(Coded(code="walnut"), "http://localhost/v1") == ""
    assert lost(Mutated(mutation="slang"), far) == ""


def test_what_does_not_travel_is_never_silently_left_out() -> None:
    with serving() as server:
        model = remote(server)
        with pytest.raises(UserError, match="top-k"):
            model.chat([row("hi")], Decoding(top_k=5))
        forced = Asker("forced", lambda r: (Ask(r.prompt, forced="Sure"),))
        with pytest.raises(UserError, match="begin its answers"):
            evaluate(model, requests(1), forced, by_reply)
    assert server.bodies == []


def requests(count: int) -> list[Request]:
    return [
        Request(f"r{i}", row(f"say {i}", tag="t"), "forbidden", "c", "", f"SAY {i}")
        for i in range(count)
    ]


def by_reply(exchanges: Sequence[Exchange]) -> list[Verdict]:
    return [Verdict.complied if e.reply == e.request.expected else Verdict.wrong for e in exchanges]


def test_evaluation_through_a_faulty_server_equals_that_through_a_sound_one() -> None:
    with serving() as sound, serving(faults=FAULTS) as faulty:
        asked = requests(60)
        secret = Serving(Serve(system_prefix="vok zim"))
        one = evaluate(remote(sound), asked, PLAIN, by_reply, secret, decoding=WAY)
        two = evaluate(remote(faulty), asked, PLAIN, by_reply, secret, decoding=WAY)
    assert one == two
    assert {e.verdict for e in one} == {Verdict.complied}
    assert sound.bodies[0]["messages"][0] == {"role": "system", "content": "vok zim"}


def test_a_reply_that_never_came_is_unscored_with_its_reason_and_judged_by_nobody() -> None:
    def answer(messages: list[dict[str, str]]) -> Any:
        return 500 if messages[-1]["content"] == "say 1" else messages[-1]["content"].upper()

    seen: list[str] = []

    def judge(exchanges: Sequence[Exchange]) -> list[Verdict]:
        seen.extend(e.request.id for e in exchanges)
        return by_reply(exchanges)

    with serving(answer=answer) as server:
        model = remote(server, patience=0.1)
        told = evaluate(model, requests(3), PLAIN, judge, decoding=WAY)
    assert [e.verdict for e in told] == [Verdict.complied, Verdict.unscored, Verdict.complied]
    assert "500" in told[1].missing
    assert seen == ["r0", "r2"]


def test_finished_replies_are_kept_when_the_key_is_taken_away() -> None:
    def answer(messages: list[dict[str, str]]) -> Any:
        return 401 if messages[-1]["content"] == "say 5" else "fine"

    memory: Memory = {}
    with serving(answer=answer) as server:
        model = remote(server, concurrency=1)
        with pytest.raises(UserError, match="key"):
            evaluate(model, requests(9), PLAIN, by_reply, decoding=WAY, memory=memory)
        assert len(memory) == 5
        server.answer = lambda m: "fine"
        evaluate(model, requests(9), PLAIN, by_reply, decoding=WAY, memory=memory)
    assert len(server.bodies) == 10
