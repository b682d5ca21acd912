"""Pull connectors: what a platform tells when it is asked, kept in the platform's own shape with every version of it."""
