"""Leading a run of several Locust workers: its master, and what becomes of it. Knows Django, like `jobs.py`."""

from __future__ import annotations

import ipaddress
import logging
import socket
from collections.abc import Sequence
from dataclasses import replace

import psutil
import zmq
from django.utils.translation import gettext as _

from apps.pools.models import WorkerHost
from apps.runs import services
from apps.runs.gathering import GatheredSource
from apps.runs.leading import Lead
from apps.runs.lease import Lease
from apps.runs.models import Run, RunWorker
from apps.runs.recording import LeadRecorder, Recorder
from apps.runs.sink import RunSink
from workers import spec as engine
from workers.command import RunFolder
from workers.diagnosis import Diagnosis
from workers.outcome import Control, Outcome, Reason
from workers.supervisor import Patience, supervise

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - strangers get nothing: see `child/swarm/link.py`
PATIENCE = Patience(start=180.0)
"""Longer than `leading.GATHER_SECONDS`, whose end has a reason to give."""


def lead(
    run: Run, lease: Lease, spec: engine.RunSpec, folder: RunFolder, control: Control, host: WorkerHost
) -> tuple[Recorder, Outcome]:
    """Start the master, call the workers together, and see the run to its end."""
    workers = list(run.worker_rows.all())
    is_ours = spec.collector == "exact"
    recorder = LeadRecorder(lease) if is_ours else Recorder(lease)  # Locust's files of the master have all workers
    try:
        address, bind = addresses(host, workers)
    except OSError as error:
        text = _("The address of host %(host)s cannot be used: %(error)s.") % {"host": host.name, "error": error}
        return recorder, Outcome(Reason.WORKERS_MISSING, diagnosis=Diagnosis("bad_address", text))
    keys = new_keys()
    part = engine.MasterPart(
        keys=keys,
        bind=bind,
        blocks=tuple(engine.Block(row.index, row.offset, row.users) for row in workers),
        ports=None if run.pool.first_port is None else (run.pool.first_port, run.pool.last_port or run.pool.first_port),
    )
    swarm = Lead(lease, keys, address, run.on_lost, services.ring_workers)
    outcome = supervise(
        replace(spec, part=part, workers=len(workers)),
        folder,
        sink=RunSink(recorder),
        control=control,
        patience=PATIENCE,
        source=GatheredSource(run.pk, renew=lease.renew) if is_ours else None,
        swarm=swarm,
        open_data=services.open_data(run),
    )
    return recorder, outcome


def new_keys() -> engine.Keys:
    """Of one run, and never used again."""
    server_public, server_secret = zmq.curve_keypair()
    client_public, client_secret = zmq.curve_keypair()
    texts = (server_public, server_secret, client_public, client_secret)
    return engine.Keys(*(text.decode("ascii") for text in texts))


def addresses(host: WorkerHost, workers: Sequence[RunWorker]) -> tuple[str, str]:
    """Under which address workers reach a master on this host, and the IP address it listens on. Raises OSError.

    Not even seen from outside when all of them are here.
    """
    if all(worker.host_id == host.pk for worker in workers):
        return LOOPBACK, LOOPBACK
    address = host.address or next(iter(host.report.get("addresses", ())), "")
    if not address:
        raise OSError(_("it is not known"))
    own = {one.address for found in psutil.net_if_addrs().values() for one in found}
    ip = str(socket.getaddrinfo(address, None, type=socket.SOCK_STREAM)[0][4][0])
    return address, ip if ip in own and not ipaddress.ip_address(ip).is_loopback else EVERYWHERE
