"""Twenty ways of rewording, encoding and translating a request.

The shape of SORRY-Bench's mutations (Xie et al. 2024, 2406.14598): six styles, five persuasion
techniques, four encodings, five languages. None needs more than the text of the request.
"""

from __future__ import annotations

from holdfast.elicit.mutations import (
    ascii_codes,
    atbash,
    authority,
    caesar,
    dialect,
    evidence,
    expert,
    fennic,
    hallish,
    logical_appeal,
    maroo,
    misrepresentation,
    misspelling,
    morse,
    ostrin,
    question,
    role_play,
    slang,
    tarn,
    technical_terms,
)
from holdfast.elicit.mutations.mutation import Group, Mutation

MUTATIONS: dict[str, Mutation] = {
    mutation.name: mutation
    for mutation in (
        question.MUTATION,
        slang.MUTATION,
        dialect.MUTATION,
        technical_terms.MUTATION,
        role_play.MUTATION,
        misspelling.MUTATION,
        logical_appeal.MUTATION,
        authority.MUTATION,
        expert.MUTATION,
        evidence.MUTATION,
        misrepresentation.MUTATION,
        ascii_codes.MUTATION,
        caesar.MUTATION,
        morse.MUTATION,
        atbash.MUTATION,
        hallish.MUTATION,
        tarn.MUTATION,
        ostrin.MUTATION,
        fennic.MUTATION,
        maroo.MUTATION,
    )
}

__all__ = ["MUTATIONS", "Group", "Mutation"]
