"""What the desk remembers: orders and what became of them, imports, thumbnails, rates, every run of a job."""

from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from example_project.desk.catalogue import PHOTOS, PRICES


class Thumbnail(models.Model):
    """A photograph made smaller. One row for each photo and width, however often it was made."""

    photo = models.CharField(max_length=40)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    bytes = models.PositiveIntegerField()
    file = models.CharField(max_length=200, help_text="below MEDIA_ROOT")

    class Meta:
        ordering = ["photo", "width"]
        constraints = [models.UniqueConstraint(fields=["photo", "width"], name="one_thumbnail_of_a_width")]

    def __str__(self) -> str:
        return f"{self.photo}, {self.width} px"


class Import(models.Model):
    """An uploaded file of orders."""

    file = models.CharField(max_length=200, help_text="below UPLOADS")
    uploaded_at = models.DateTimeField(auto_now_add=True)
    rows = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"import {self.pk}"


class ImportChunk(models.Model):
    """Some rows of an import, loaded by a job of its own."""

    source = models.ForeignKey(Import, models.CASCADE, related_name="chunks")
    start = models.PositiveIntegerField(help_text="first row, counted from 0")
    stop = models.PositiveIntegerField()
    jid = models.CharField(max_length=24, blank=True)
    loaded = models.PositiveIntegerField(null=True, help_text="orders that came of it; empty until it is done")

    class Meta:
        ordering = ["start"]
        constraints = [models.UniqueConstraint(fields=["source", "start"], name="one_chunk_of_a_start")]

    def __str__(self) -> str:
        return f"rows {self.start} to {self.stop} of {self.source}"


class BadRow(models.Model):
    """A row of an import that is no order, and why."""

    chunk = models.ForeignKey(ImportChunk, models.CASCADE, related_name="bad_rows")
    line = models.PositiveIntegerField()
    trouble = models.CharField(max_length=200)
    text = models.CharField(max_length=500)

    class Meta:
        ordering = ["line"]

    def __str__(self) -> str:
        return f"line {self.line}: {self.trouble}"


class Order(models.Model):
    """Prints that a customer wants."""

    number = models.CharField(max_length=40, unique=True)
    customer = models.CharField(max_length=100)
    email = models.EmailField()
    photo = models.CharField(max_length=40, choices=[(photo.slug, photo.title) for photo in PHOTOS.values()])
    size = models.CharField(max_length=10, choices=[(size, f"{size} cm") for size in PRICES])
    quantity = models.PositiveIntegerField(default=1, validators=[MinValueValidator(1), MaxValueValidator(500)])
    price = models.DecimalField(max_digits=8, decimal_places=2, help_text="of one print")
    placed_at = models.DateTimeField()
    cancelled = models.BooleanField(default=False)
    chunk = models.ForeignKey(ImportChunk, models.CASCADE, null=True, blank=True, related_name="orders")

    class Meta:
        ordering = ["-placed_at", "-pk"]
        indexes = [models.Index(fields=["placed_at"])]

    def __str__(self) -> str:
        return self.number

    @property
    def total(self) -> Decimal:
        return self.price * self.quantity


class Receipt(models.Model):
    """Proof that the receipt went out, so that a second run does not send it again."""

    order = models.OneToOneField(Order, models.CASCADE)
    sent_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"receipt of {self.order}"


class Payment(models.Model):
    """The bank has taken the money for an order."""

    order = models.OneToOneField(Order, models.CASCADE)
    reference = models.CharField(max_length=40, help_text="what the bank calls it")

    def __str__(self) -> str:
        return f"payment of {self.order}"


class Shipment(models.Model):
    """A parcel that the courier has accepted."""

    order = models.OneToOneField(Order, models.CASCADE)
    tracking = models.CharField(max_length=40)
    booked_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.tracking


class Reminder(models.Model):
    """Tells a customer that the prints lie ready."""

    order = models.OneToOneField(Order, models.CASCADE)
    due_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"reminder of {self.order}"


class Rate(models.Model):
    """What one euro is worth."""

    currency = models.CharField(max_length=3, primary_key=True)
    value = models.DecimalField(max_digits=12, decimal_places=4)
    fetched_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["currency"]

    def __str__(self) -> str:
        return f"1 EUR = {self.value} {self.currency}"


class Report(models.Model):
    """The turnover of one month, by photograph."""

    month = models.DateField(unique=True)
    orders = models.PositiveIntegerField()
    turnover = models.DecimalField(max_digits=14, decimal_places=2)
    file = models.CharField(max_length=200, help_text="below MEDIA_ROOT")

    class Meta:
        ordering = ["-month"]

    def __str__(self) -> str:
        return f"{self.month:%B %Y}"


class Run(models.Model):
    """One run of a job, written by the desk's middleware: the book that the demo's counts come from."""

    class Outcome(models.TextChoices):
        DONE = "done", "done"
        FAILED = "failed", "failed"
        DISCARDED = "discarded", "discarded"

    jid = models.CharField(max_length=24, db_index=True)
    job = models.CharField(max_length=100)
    queue = models.CharField(max_length=128)
    retries = models.PositiveIntegerField(help_text="how often the job had been tried again before this run")
    outcome = models.CharField(max_length=10, choices=Outcome)
    error = models.CharField(max_length=300, blank=True)
    started_at = models.DateTimeField()
    seconds = models.FloatField()
    worker = models.CharField(max_length=100)

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["job", "outcome"])]

    def __str__(self) -> str:
        return f"{self.name} {self.jid}: {self.outcome}"

    @property
    def name(self) -> str:
        return self.job.rpartition(".")[2]

    @property
    def milliseconds(self) -> float:
        return self.seconds * 1000
