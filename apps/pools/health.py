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
from apps.pools.models import RUNNER_SILENT_SECONDS, Runner, Standing


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Database, Redis and at least one runner."""
    return answer({"database": check_database(), "redis": check_redis(), "runners": check_runners()})


def check_runners() -> Check:
    """At least one runner has been heard of lately, on a host that takes work."""
    since = timezone.now() - timedelta(seconds=RUNNER_SILENT_SECONDS)
    try:
        online = list(Runner.objects.filter(last_seen_at__gt=since).values_list("draining", "host__standing"))
    except Error:
        return Check(ok=False, reason=_("The database does not answer."))
    details = {"online": len(online), "draining": sum(draining for draining, _standing in online)}
    if not online:
        return Check(ok=False, reason=_("No runner is online."), details=details)
    if all(standing != Standing.ACTIVE for _draining, standing in online):
        return Check(ok=False, reason=_("No host with a runner takes work."), details=details)
    return Check(ok=True, details=details)
