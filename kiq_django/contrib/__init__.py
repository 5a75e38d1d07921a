"""Bridges to other packages. Nothing here is imported unless you name it."""
