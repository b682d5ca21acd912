"""What every test shares: property tests are judged by their answers, not by the clock of a busy machine."""

from hypothesis import settings

settings.register_profile("house", deadline=None)
settings.load_profile("house")
