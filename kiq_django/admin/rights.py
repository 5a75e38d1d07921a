"""What a person may do: Django's model permissions, asked for by the name of the deed."""

from django.http import HttpRequest

ON_JOBS = ("retry_job", "kill_job", "reschedule_job", "move_job", "enqueue_job", "view_job_args", "view_job_secrets")


def may(request: HttpRequest, deed: str) -> bool:
    """Whether this person has a permission of ours: `may(request, "retry_job")`."""
    user = request.user
    return user.is_active and user.has_perm(f"kiq.{deed}")
