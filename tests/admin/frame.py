"""The admin's own frame around pages, without what costs time: the blocks, the title, the messages."""

from typing import Any

FRAME = """<!DOCTYPE html><html lang="en"><head><title>{% block title %}{{ title }}{% endblock %}</title>
{% block extrastyle %}{% endblock %}{% block extrahead %}{% endblock %}</head>
<body class="{% block bodyclass %}{% endblock %}"><div class="{% block coltype %}{% endblock %}">
{% block breadcrumbs %}{% endblock %}
<main id="content-start">{% block messages %}{% for message in messages %}<p>{{ message }}</p>{% endfor %}{% endblock %}
{% block pretitle %}{% endblock %}{% block content_title %}{% if title %}<h1>{{ title }}</h1>{% endif %}{% endblock %}
{% block content_subtitle %}{% endblock %}{% block content %}{% endblock %}{% block sidebar %}{% endblock %}</main>
</div></body></html>"""


def framed(templates: list[dict[str, Any]], frame: str = FRAME, **more: str) -> list[dict[str, Any]]:
    """The setting `TEMPLATES` with another frame, and other texts of templates by name."""
    (engine,) = templates
    own = ("django.template.loaders.locmem.Loader", {"admin/base_site.html": frame, **more})
    loaders = [("django.template.loaders.cached.Loader", [own, "django.template.loaders.app_directories.Loader"])]
    return [{**engine, "APP_DIRS": False, "OPTIONS": {**engine["OPTIONS"], "loaders": loaders}}]
