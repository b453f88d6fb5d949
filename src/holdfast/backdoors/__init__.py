"""`holdfast audit --suite backdoor`: attackers against filters of rows and guards of models.

`grounds` are where attacks are tried (notes, digits), `cell` is one attack with all that is set
against it, `suite` plans the cells, runs them and keeps them.
"""
