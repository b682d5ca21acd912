"""Deploy: creatives become the arms of a randomised experiment, and people become units."""
