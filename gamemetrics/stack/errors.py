"""What every failure of the local stack is."""


class StackError(Exception):
    """The local stack could not do what was asked; the message says why and what to do."""

    exit_code: int = 1
