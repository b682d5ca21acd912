"""Measure: what the world said, taken into ``raw`` and judged on the way in."""
