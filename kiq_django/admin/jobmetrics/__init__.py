"""What the pages of metrics show, as values: nothing here knows a request, and all but the reading is pure."""
