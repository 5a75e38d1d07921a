INSTALLED_APPS = [
    "django.contrib.auth",
    "django_celery_beat",
    "django_celery_results",
    "shop",
]
CELERY_BROKER_URL = "redis://localhost:6379/0"
CELERY_RESULT_BACKEND = "django-db"
CELERY_TASK_ROUTES = {"shop.tasks.*": {"queue": "shop"}}
CELERY_TASK_SERIALIZER = "pickle"
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_SEND_TASK_EVENTS = True
