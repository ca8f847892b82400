"""Workers of a run whose owner on this host has died: what becomes of them. Knows Django, like `jobs.py`.

Nobody waits for a lease to run out here: with the owner, all of his workers have ended (`grip.py`).
"""

from __future__ import annotations

import logging
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext as _

from apps.runs import services, sharing
from apps.runs.lease import Fenced
from apps.runs.models import RunWorker
from apps.runs.sharing import Share, may_begin_anew
from workers import grip
from workers.folders import remove_tree
from workers.share import folder_of, keep_log, restarted

log = logging.getLogger(__name__)


def take_over(host_id: UUID) -> None:
    """End the workers of dead owners, or offer them to the next one, as the rule of their run says.

    Raises DatabaseError: the rest is left for the next time.
    """
    for run_id in sharing.orphaned(host_id):
        path = grip.path_of(Path(settings.RUNS_DIR), run_id, host_id)
        try:
            with grip.gripped(path, is_new=False) as descriptor:
                if descriptor is not None:
                    _take_over(run_id, host_id)
        except FileNotFoundError:
            pass  # of a runner with other folders
        except (OSError, Fenced):
            log.exception("the workers of run %s are left for the next time", run_id)


def _take_over(run_id: UUID, host_id: UUID) -> None:
    share = sharing.seize(run_id, host_id)
    if share is None:
        return
    rows = RunWorker.objects.filter(run_id=run_id, index__in=share.indexes).select_related("run").defer("identity")
    for row in rows.order_by("index"):
        folder = folder_of(row.run, row)
        keep_log(row, folder)
        _settle(share, row)
        remove_tree(folder.path)


def _settle(share: Share, row: RunWorker) -> None:
    reason = _("The process that looked after it was ended.")
    if may_begin_anew(row, row.run.on_lost):
        try:
            share.offer(row.index, reason=reason)
        except Fenced:
            pass  # the run is over
        else:
            share.warn(row.index, "worker_restarted", restarted(row, reason))
            services.ring_workers(row)
            return
    share.end(row.index, reason=reason)
