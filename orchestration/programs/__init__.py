"""One YAML per loop; ``definition.py`` says what a program may say."""
