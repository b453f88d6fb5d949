"""The one exception that reaches a user as a sentence."""


class UserError(Exception):
    """Something the user can mend.

    The message is one clear sentence: what is wrong, where, and how to mend it. The command line
    prints it and exits with 1; a traceback never reaches the user.
    """
