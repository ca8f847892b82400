"""Whether this process lives, and whether it can serve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import redis
from django.conf import settings
from django.db import Error, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

REDIS_TIMEOUT_SECONDS = 1.0
NOT_SERVING = 503


@dataclass(frozen=True, slots=True)
class Check:
    """One part's state. `reason` and `details` are read by strangers: no addresses, no error texts."""

    ok: bool
    reason: str = ""
    details: Mapping[str, int] = field(default_factory=dict)


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """This process answers. Nothing else is asked, so that a database that is away restarts nobody."""
    return HttpResponse("ok", content_type="text/plain")


def check_database() -> Check:
    """A question that any database answers at once."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        return Check(ok=False, reason=_("The database does not answer."))
    return Check(ok=True)


def check_redis() -> Check:
    """Redis within a second."""
    timeout = REDIS_TIMEOUT_SECONDS
    client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=timeout, socket_connect_timeout=timeout)
    try:
        client.ping()
    except redis.RedisError:
        return Check(ok=False, reason=_("Redis does not answer."))
    finally:
        client.close()
    return Check(ok=True)


def answer(checks: Mapping[str, Check]) -> JsonResponse:
    """`{"ok", "checks": {name: {"ok", "reason", …}}}`; 503 unless all is well."""
    ok = all(check.ok for check in checks.values())
    states = {name: {"ok": check.ok, "reason": check.reason, **check.details} for name, check in checks.items()}
    return JsonResponse({"ok": ok, "checks": states}, status=200 if ok else NOT_SERVING)
