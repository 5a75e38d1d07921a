"""Our protocol as a model: every interleaving of a small world is looked at, and every seeded bug must show."""
