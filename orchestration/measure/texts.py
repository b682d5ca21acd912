"""When two texts are the same creative, and two tags the same tag."""

import hashlib
import html


def normalised(text: str) -> str:
    """The text with HTML entities resolved, white space folded and case removed."""
    return " ".join(html.unescape(text).split()).casefold()


def creative_id_of(text: str) -> str:
    """Names a creative by its text: the first 16 hexadecimal digits of the normalised text's sha256."""
    return hashlib.sha256(normalised(text).encode()).hexdigest()[:16]


def folded_tags(tags: str) -> str:
    """SQL: a list of tags without blanks and nulls, trimmed, in lower case and each once, in its order; null stays null."""
    folded = f"list_transform({tags}, lambda tag: nullif(lower(trim(tag)), ''))"
    return f"list_filter({folded}, lambda tag, place: tag is not null and list_position({folded}, tag) = place)"
