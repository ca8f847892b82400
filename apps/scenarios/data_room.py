"""Room for data files: the only bodies that may be larger than a form, and only from who may store them.

Django writes a whole body into the folder for temporary files before it asks who sends it; so it is asked here, before.
"""

from __future__ import annotations

import re

from channels.db import database_sync_to_async
from django.conf import settings
from django.utils.translation import gettext as _

from apps.core.body import Message, Room
from apps.core.errors import HatcheryError
from apps.scenarios.data_check import MB
from apps.scenarios.models import Scenario
from apps.teams import roles
from apps.teams.access import get_by_ref
from apps.teams.authentication import early_actor

UPLOADS = re.compile(r"/(?:api/v1/)?scenarios/([^/]+)/data/")
AROUND_BYTES = 1 * MB
"""For the other fields of the form, and what stands around its parts."""


async def room(scope: Message) -> Room | None:
    """How large this request may be, if it is the upload of a data file; None: as large as any."""
    match = UPLOADS.fullmatch(scope["path"]) if scope["method"] == "POST" else None
    if match is None or not await database_sync_to_async(_may_upload)(scope, match[1]):
        return None
    limit = settings.DATA_FILE_MB
    sentence = _("This is too large: a data file may have %(limit)d MB.") % {"limit": limit}
    return Room(limit * MB + AROUND_BYTES, sentence)


def _may_upload(scope: Message, ref: str) -> bool:
    try:
        actor = early_actor(scope)
        return actor is not None and bool(get_by_ref(actor, Scenario, ref, roles.SCENARIO_EDIT))
    except HatcheryError:
        return False
