"""Learn: what the warehouse holds to be true becomes the brief that the next creatives may rely on."""
