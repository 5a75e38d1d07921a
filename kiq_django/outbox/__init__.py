"""A Django app of its own: jobs wait in the database, with the rows of their transaction, until Redis has them."""
