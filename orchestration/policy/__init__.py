"""Policy: named rules that allow, withhold or block; ``facts.py`` says what a rule may ask, ``rules.yaml`` has the rules that ship."""
