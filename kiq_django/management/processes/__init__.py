"""Several worker processes under one parent: started, watched, replaced, told of signals, stopped together.

`role` says what this process is; all else is imported by those that are a parent or a child.
"""
