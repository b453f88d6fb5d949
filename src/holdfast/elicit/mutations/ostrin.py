"""The request in Ostrin, the language of the eastern skerries.

Descends from SORRY-Bench's five translations (Xie et al. 2024, 2406.14598), which for the
invented islands become invented languages. It has no endings. `decode` translates
back exactly; see `tongue` for names and for the first word of a sentence.
"""

from __future__ import annotations

from holdfast.elicit.mutations.mutation import coded
from holdfast.elicit.mutations.tongue import Tongue

TONGUE = Tongue("euayoi rnlwm cbtkpgd jszfv hqx")
encode = TONGUE.encode
decode = TONGUE.decode

MUTATION = coded("ostrin", "language", encode, decode)
