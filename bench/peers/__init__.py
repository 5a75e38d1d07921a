"""The same work for us and for everybody else: `python -m bench.peers`, or `make bench`."""
