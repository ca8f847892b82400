"""Whether the portal can run a test now."""

from __future__ import annotations

from datetime import timedelta

from django.db import Error
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.core.health import Check, answer, check_database, check_redis
from apps.pools.models import RUNNER_SILENT_SECONDS, Runner


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Database, Redis and at least one runner."""
    return answer({"database": check_database(), "redis": check_redis(), "runners": check_runners()})


def check_runners() -> Check:
    """At least one runner has been heard of lately."""
    since = timezone.now() - timedelta(seconds=RUNNER_SILENT_SECONDS)
    try:
        draining = list(Runner.objects.filter(last_seen_at__gt=since).values_list("draining", flat=True))
    except Error:
        return Check(ok=False, reason=_("The database does not answer."))
    details = {"online": len(draining), "draining": sum(draining)}
    if not draining:
        return Check(ok=False, reason=_("No runner is online."), details=details)
    return Check(ok=True, details=details)
