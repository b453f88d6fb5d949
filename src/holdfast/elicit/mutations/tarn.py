"""The request in Tarn, the language of the lake people of the Skerries.

Descends from SORRY-Bench's five translations (Xie et al. 2024, 2406.14598), which for the
invented islands become invented languages. Its longer words end in "ar". `decode` translates
back exactly; see `tongue` for names and for the first word of a sentence.
"""

from __future__ import annotations

from holdfast.elicit.mutations.mutation import coded
from holdfast.elicit.mutations.tongue import Tongue

TONGUE = Tongue("uoeayi wlmnr dpbcgtk zvfsj hqx", ending="ar")
encode = TONGUE.encode
decode = TONGUE.decode

MUTATION = coded("tarn", "language", encode, decode)
