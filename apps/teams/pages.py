"""What our middleware has put on the request that a page's view gets."""

from __future__ import annotations

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from apps.teams.actors import Actor


class PageRequest(HttpRequest):
    """For type hints only: Django makes plain requests, the middleware fills these in."""

    actor: Actor
    htmx: HtmxDetails
