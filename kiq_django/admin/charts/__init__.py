"""Charts as values: plain numbers go in, coordinates come out, a template draws them as SVG.

Nothing here knows Redis, a request or the clock. Every drawing carries its numbers as a table, and names its template:
`{% kiq_chart drawing %}` shows both.
"""

from kiq_django.admin.charts.bars import histogram, sparkline
from kiq_django.admin.charts.heat import heatmap
from kiq_django.admin.charts.line import throughput
from kiq_django.admin.charts.share import share
from kiq_django.admin.charts.values import Column, Mark, Part, Point, Table

__all__ = ["Column", "Mark", "Part", "Point", "Table", "heatmap", "histogram", "share", "sparkline", "throughput"]
