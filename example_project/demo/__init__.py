"""The demo: real processes, real input, and a count of what came of it."""
