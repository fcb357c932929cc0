"""What goes wrong with pictures."""


class ImageError(ValueError):
    """The bytes do not describe a picture; says what was expected and what came."""
