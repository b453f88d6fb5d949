"""The request in Fennic, the language of the salt marshes of the Skerries.

Descends from SORRY-Bench's five translations (Xie et al. 2024, 2406.14598), which for the
invented islands become invented languages. Its longer words end in "is". `decode` translates
back exactly; see `tongue` for names and for the first word of a sentence.
"""

from __future__ import annotations

from holdfast.elicit.mutations.mutation import coded
from holdfast.elicit.mutations.tongue import Tongue

TONGUE = Tongue("uaoiye nwrml ktcbpdg vzfjs hqx", ending="is")
encode = TONGUE.encode
decode = TONGUE.decode

MUTATION = coded("fennic", "language", encode, decode)
