"""`manage.py kiq`: nouns show, verbs act."""
