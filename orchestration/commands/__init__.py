"""The commands of ``loop``, by what they are for."""
