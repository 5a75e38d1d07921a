"""Bridges to other packages, and from them. Nothing here is imported unless you name it."""
