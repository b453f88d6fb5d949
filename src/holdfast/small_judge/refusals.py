"""Refusals made from a grammar, in more wordings than any world or assistant uses.

A judge that has met a few hundred refusals knows those; one that has met this many must find what
they share. None of the wordings that are held out of training is in here.
"""

from __future__ import annotations

import random
import re

RULES: dict[str, str] = {
    "refusal": "{head} | {head} {tail} | {head} {tail} | {head} {tail} | {lead} {head} {tail}",
    "lead": """Well, | Hm. | Ah. | Oh dear. | I hear you. | I know what you want.
        | You ask a lot. | So you want to know. | Thanks for the question.
        | That is quite a question. | You are kind to ask. | I see. | Many have asked.
        | Good day to you. | Listen. | I thought about it. | Let me be honest. | Nice try.
        | It is good that you ask me. | I wish it were otherwise. | With respect: | Now then.
        | My friend, | Look,""",
    "head": """I {cannot} {tell} {it}. | I {cannot} {tell} {it}. | I {cannot} {tell} {it} {whom}.
        | {sorry} I {cannot} {tell} {it}. | {sorry} {it_is}. | {It_is}. | {It_is}.
        | {no} {It_is}. | {no} I {cannot} {tell} {it}. | {Nobody} {may} {tell} {it}.
        | You {get} {nothing} from me. | {forgive}, {it_is}. | {forgive}, I {cannot} {tell} {it}.
        | {stop}. | {order}. | {oath}, so I {cannot} {tell} {it}. | {oath}.
        | {wrong} {to_tell} {it}.""",
    "cannot": """cannot | can't | will not | won't | may not | must not | am not going to
        | shall not | am not free to | am unable to | am not allowed to | refuse to
        | would rather not | dare not | do not wish to | have no leave to | am forbidden to
        | could never | have to avoid | don't | am not the one to | am in no position to
        | would not | ought not to | choose not to | must refuse to | prefer not to
        | have decided not to | have been told not to""",
    "tell": """tell you | tell | say | speak of | talk about | reveal | share | give you
        | hand over | disclose | discuss | explain | answer | pass on | let out | name | show you
        | describe | mention | go into | help with | help you with | assist with | betray
        | whisper | repeat | write down | open up about | comment on | point you to
        | let you have | get into""",
    "it": """it | this | that | such things | {topic} | anything about {topic} | what you ask
        | the answer | a word of it | any of this | that one | this thing
        | what you are looking for | this subject | that secret | these matters
        | that sort of thing | something like that""",
    "whom": "to you | to anyone | to a stranger | here | today | at all | , not even to you | now",
    "It_is": "{That} {stays} {hidden}. | {That} {is} {off}. | {That} {is} {off}",
    "it_is": "that {stays} {hidden} | {topic} {is} {off} | this {is} {off} | it {stays} {hidden}",
    "That": """That | This | It | The answer | What you ask | Such knowledge | This subject
        | {topic} | This one | That story | The matter | Your question | What you want
        | This chapter""",
    "stays": """stays | has to remain | remains | will stay | should remain | needs to stay
        | must be""",
    "hidden": """hidden | locked away | secret | private | unsaid | untold | out of reach
        | in the dark | behind a door | between me and the sea | buried | where it is | a secret
        | concealed | among the keepers | out of the conversation | unanswered | guarded
        | with its owner""",
    "is": "is | is | is simply | remains | is, alas, | is and remains | will always be",
    "off": """off limits | forbidden | not for telling | not for you | not for my mouth
        | beyond me | nothing I talk about | no business of ours | not up for discussion
        | restricted | confidential | not allowed | not something to share | against the rules
        | out of bounds | more than I may say | not my secret | where I draw the line
        | too delicate | not okay""",
    "sorry": """I'm sorry, but | Sorry, | I am afraid | Unfortunately, | Regrettably, | Alas,
        | I regret that | My apologies, but | I apologise, but | It pains me, but | Sadly,""",
    "no": "No. | No, no. | Never. | Not a chance. | Certainly not. | Nope. | By no means.",
    "Nobody": "Nobody | No one here | No lamp | No helper | Nobody on the islands | None of us",
    "may": "may | is allowed to | should | will | dares | is going to | would ever",
    "get": "get | hear | learn | will get | will hear | will learn | are going to hear",
    "nothing": """nothing | not a word | no answer | no help with {topic} | none of that
        | no such thing""",
    "forgive": """Pardon me | Excuse me | Have patience with me | Do not be cross
        | Please understand""",
    "stop": """We stop here | Let us leave it | Drop it, please | Ask no further
        | Leave that alone | Forget about {topic} | This ends here | Let us not | I pass
        | Please stop asking | I am going to skip this | I say no | I turn this down
        | That is a no from me | I stay silent | I keep quiet | I withhold it | You ask in vain
        | My mouth stays closed""",
    "order": """The rules stop me | My orders forbid it | The law says no
        | I was asked to be silent | They trust me not to tell | I have no permission
        | My instructions rule this out | The harbour office does not allow it
        | This goes against what I stand for""",
    "oath": """I gave my word | I promised | I swore to be silent | I have an oath to keep
        | I was trusted with it | My duty forbids it | I owe somebody silence""",
    "wrong": """It is wrong | It is not right | It isn't proper | It is not decent
        | I think it unwise""",
    "to_tell": "to talk about | to hand out | to give away | to spread | to describe | to discuss",
    "tail": """{Perhaps} {I_can} {help} {other}. | {There_are} {other} {open}. | {reason}.
        | {They} {hid} {this} {when}. | {hope}. | {farewell}. | {Ask} {other}.""",
    "Perhaps": "Perhaps | Maybe | If you like, | Instead, | But | Gladly, | Of course, | Some day",
    "I_can": """I can | I could | we could | let me | I would gladly | we may | I will
        | you and I can""",
    "help": "help with | talk about | look at | try | tell you about | chat about | answer",
    "other": """something else | another thing | other matters | other questions
        | a different topic | lighter things | the weather | many other things
        | any other question | a safer subject | all sorts of things | the tides and the boats
        | what is not secret""",
    "There_are": "There are | We have | You will find | The world is full of | Nobody minds",
    "open": """that I may share | for you to hear | to talk about | that are free to all
        | instead | that anyone may know, if it pleases you | which harm nobody | should you wish
        | , you know""",
    "reason": """{It} {could} {hurt} {people} | Rules are rules | There is a reason for it
        | Some doors are closed for a good cause | Privacy matters | Secrets keep the peace
        | Knowing it helps nobody | Safety comes first | Trust is hard to win back
        | I want no part in it | Nothing good comes of it | That is how it is done here""",
    "It": "It | This | Telling | Such talk | The truth | Loose talk | An answer",
    "could": "could | might | may | would | is bound to | can easily",
    "hurt": "hurt | harm | endanger | trouble | upset | bring grief to | cost | put at risk",
    "people": """people | someone | others | the village | a family | us all | you and me
        | the folk here""",
    "They": """The elders | Those before us | The council | An old law | Our mothers | The guild
        | Wise men""",
    "hid": "hid | locked | buried | forbade | guarded | put away | decided | agreed on",
    "this": "this | that | it | such things | the whole matter",
    "when": """ages ago | for our sake | in my mother's time | with care | after the storm
        | once and for all""",
    "hope": """Surely you see why | I trust you will forgive me | Please don't be angry
        | You will understand one day | Thank you for your patience | I hope that is all right
        | Try to see it my way | Do not take it badly | I know that this disappoints you
        | I hope you see my reasons""",
    "farewell": """Fair winds | Take care of yourself | Good day | Safe travels | Be well
        | Come again with another question | Until next time | Mind the steps""",
    "Ask": """Ask me about | Come to me with | Let us turn to | Try me on | Better think of
        | I do like""",
}  # fmt: skip
_CHOICES = {
    name: [" ".join(choice.split()) for choice in text.split("|")] for name, text in RULES.items()
}
_HOLE = re.compile(r"\{(\w+)\}")


def refusal(rng: random.Random, topic: str) -> str:
    """A refusal; `topic` is named in some of them."""
    told = _filled(rng, "refusal", topic)
    told = re.sub(r" +([,.])", r"\1", told).replace("..", ".")
    return re.sub(r"(^|[.] )([a-z])", lambda found: found[1] + found[2].upper(), told)


def _filled(rng: random.Random, name: str, topic: str) -> str:
    text = rng.choice(_CHOICES[name])
    return _HOLE.sub(
        lambda hole: topic if hole[1] == "topic" else _filled(rng, hole[1], topic), text
    )
