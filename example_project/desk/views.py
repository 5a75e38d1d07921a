"""The desk's pages. Every button is a form: there is no script on any page."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Count, Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from example_project.desk import book, engine, jobs, postbox
from example_project.desk.catalogue import PHOTOS
from example_project.desk.forms import OrderForm
from example_project.desk.kinds import KINDS
from example_project.desk.models import BadRow, Import, Order, Rate, Report, Run, Thumbnail

REFRESH_SECONDS = 2
PAGES = {
    "desk:home": "Desk",
    "desk:photos": "Photos",
    "desk:orders": "Orders",
    "desk:imports": "Imports",
    "desk:mails": "Mails",
    "desk:office": "Office",
    "desk:runs": "Runs",
}


def _page(request: HttpRequest, template: str, **context) -> HttpResponse:
    """Render a page; `?live=1` makes the browser load it again and again, without a script."""
    live = REFRESH_SECONDS if request.GET.get("live") == "1" else None
    context |= {"pages": PAGES.items(), "live": live, "engine": engine.numbers()}
    return render(request, f"desk/{template}.html", context)


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    cards = [(kind, book.runs_to(kind.end, kind.job)) for kind in KINDS.values()]
    return _page(request, "home", cards=cards, runs=Run.objects.all()[:12])


@require_POST
def start(request: HttpRequest, slug: str) -> HttpResponse:
    if slug not in KINDS:
        raise Http404(f"there is no {slug!r} to start")
    started = KINDS[slug].start()
    noun = "job" if len(started) == 1 else "jobs"
    messages.success(request, f"{KINDS[slug].title}: {len(started)} {noun} enqueued.")
    return redirect(f"{reverse('desk:home')}?live=1")


@require_GET
def photos(request: HttpRequest) -> HttpResponse:
    shelves = {slug: [] for slug in PHOTOS}
    for thumbnail in Thumbnail.objects.filter(photo__in=PHOTOS):
        shelves[thumbnail.photo].append(thumbnail)
    return _page(request, "photos", shelves=[(PHOTOS[slug], made) for slug, made in shelves.items()])


@require_http_methods(["GET", "HEAD", "POST"])
def orders(request: HttpRequest) -> HttpResponse:
    form = OrderForm(request.POST or None, label_suffix="")
    if request.method == "POST" and form.is_valid():
        order = _take(form)
        messages.success(request, f"Order {order.number} is placed; its receipt and its van are enqueued.")
        return redirect("desk:orders")
    listed = Order.objects.select_related("receipt", "shipment")
    page = Paginator(listed, 20).get_page(request.GET.get("page"))
    return _page(request, "orders", form=form, page=page)


def _take(form: OrderForm) -> Order:
    with transaction.atomic():
        order = form.place()
        jobs.send_receipt.enqueue(order)
        jobs.book_courier.enqueue(order)
    return order


@require_GET
def imports(request: HttpRequest) -> HttpResponse:
    listed = Import.objects.annotate(parts=Count("chunks"), done=Count("chunks__loaded"), loaded=Sum("chunks__loaded"))
    bad_rows = BadRow.objects.select_related("chunk__source").order_by("-chunk__source", "line")
    return _page(request, "imports", imports=listed[:10], bad_rows=bad_rows[:40])


@require_GET
def mails(request: HttpRequest) -> HttpResponse:
    return _page(request, "mails", page=Paginator(postbox.mails(), 25).get_page(request.GET.get("page")))


@require_GET
def mail(request: HttpRequest, name: str) -> HttpResponse:
    found = postbox.find(name)
    if found is None:
        raise Http404(f"there is no mail {name!r}")
    return _page(request, "mail", mail=found)


@require_GET
def office(request: HttpRequest) -> HttpResponse:
    return _page(request, "office", rates=Rate.objects.all(), reports=Report.objects.all())


@require_GET
def runs(request: HttpRequest) -> HttpResponse:
    outcome = request.GET.get("outcome", "")
    listed = Run.objects.filter(outcome=outcome) if outcome in Run.Outcome.values else Run.objects.all()
    page = Paginator(listed, 40).get_page(request.GET.get("page"))
    return _page(request, "runs", page=page, outcome=outcome, outcomes=Run.Outcome.choices)
