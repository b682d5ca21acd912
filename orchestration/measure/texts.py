"""When two texts are the same creative."""

import hashlib
import html


def normalised(text: str) -> str:
    """The text with HTML entities resolved, white space folded and case removed."""
    return " ".join(html.unescape(text).split()).casefold()


def creative_id_of(text: str) -> str:
    """Names a creative by its text: the first 16 hexadecimal digits of the normalised text's sha256."""
    return hashlib.sha256(normalised(text).encode()).hexdigest()[:16]
