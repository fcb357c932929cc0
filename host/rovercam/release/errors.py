"""One error: nothing can be released as asked; the message says what is missing and what to do."""


class ReleaseError(Exception):
    pass
