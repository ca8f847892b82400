"""Refusals that happen before any view, as pages."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext as _


class TooMuch(RequestDataTooBig):
    """A body beyond the limit, with a sentence that names it."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What Django could not take: most often a form with more text than DATA_UPLOAD_MAX_MEMORY_SIZE."""
    if not isinstance(exception, RequestDataTooBig):
        status, code, sentence = 400, "bad_request", _("The portal did not understand this request.")
    else:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 1024
        status, code = 413, "too_large"
        sentence = _("This is too large: a form may carry %(limit)d KiB, a locustfile 512 KiB.") % {"limit": limit}
        if isinstance(exception, TooMuch):
            sentence = exception.sentence
    if request.path.startswith("/api/"):
        return JsonResponse({"code": code, "message": sentence}, status=status)
    return HttpResponse(render_to_string("400.html", {"sentence": sentence}), status=status)
