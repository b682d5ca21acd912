"""A simulated audience and e-mail channel that speaks only the contracts of production."""
