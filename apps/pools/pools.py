"""Pools: what they are, who may use them, which is the default."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError, Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.core.errors import Conflict, Invalid
from apps.core.ids import is_uuid
from apps.core.names import clean_slug
from apps.pools import leases
from apps.pools.models import LOCAL, USERS_PER_WORKER, WorkerPool
from apps.teams import audit
from apps.teams.actors import Actor
from apps.teams.models import Project, Team

DESCRIPTION_CHARS = 200
MAX_USERS_PER_WORKER = 100_000
MOST_NAMED = 400
"""Teams, and projects, that a pool is open to: a form has at most 1,000 fields."""
FIRST_PORT, LAST_PORT = 1024, 65_535
NEW = "new"
"""Where the page is that makes a pool: no pool can have this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What can be set of a pool but for its IDs; what they mean is with the model."""

    name: str
    description: str = ""
    users_per_worker: int = USERS_PER_WORKER
    first_port: int | None = None
    last_port: int | None = None
    takes_new_hosts: bool = False
    is_for_all: bool = True
    teams: Collection[Team] = ()
    projects: Collection[Project] = ()


COLUMNS = ("name", "description", "users_per_worker", "first_port", "last_port", "takes_new_hosts", "is_for_all")


@transaction.atomic
def create(*, options: Options, by: Actor) -> WorkerPool:
    """A pool without hosts. Raises Invalid with the fields that are wrong."""
    check(options=options)
    pool = WorkerPool()
    _save(pool, options)
    audit.record("pool.create", obj=pool, team=None, by=by, **_told(pool))
    return pool


@transaction.atomic
def change(*, pool: WorkerPool, options: Options, by: Actor) -> WorkerPool:
    """Set all of the options. Raises Invalid with the fields that are wrong, Conflict for a new name of `local`."""
    pool = leases.lock(pool.pk)
    check(options=options, pool=pool)
    before = _told(pool)
    _save(pool, options)
    after = _told(pool)
    if after != before:
        audit.record("pool.change", obj=pool, team=None, by=by, before=before, after=after)
    return pool


def check(*, options: Options, pool: WorkerPool | None = None) -> None:
    """Whether `create`, or `change` of this pool, would do it."""
    if pool is None or options.name != pool.name:
        _check_name(options.name, pool)
    if len(options.description) > DESCRIPTION_CHARS or not options.description.isprintable():
        sentence = _("A description is a line of at most %(limit)d characters.") % {"limit": DESCRIPTION_CHARS}
        raise _invalid("description", sentence)
    if not 1 <= options.users_per_worker <= MAX_USERS_PER_WORKER:
        raise _invalid("users_per_worker", _("Give a number from 1 to %(most)d.") % {"most": MAX_USERS_PER_WORKER})
    _check_ports(options.first_port, options.last_port)
    for field, named in (("teams", options.teams), ("projects", options.projects)):
        if len(named) > MOST_NAMED:
            sentence = _("At most %(most)d are named one by one. Open it to whole teams, or to all.")
            raise _invalid(field, sentence % {"most": MOST_NAMED})


def _check_name(name: str, pool: WorkerPool | None) -> None:
    clean_slug(name, field="name")
    if name == NEW:
        raise _invalid("name", _("No pool can be called “%(name)s”.") % {"name": name})
    if pool is not None and pool.name == LOCAL:
        sentence = _("The pool %(pool)s keeps its name: it is the one of this machine.") % {"pool": pool}
        raise Conflict(sentence, code="pool_local", fields={"name": [sentence]})
    if WorkerPool.objects.filter(name=name).exists():
        raise _name_taken()


def _check_ports(first: int | None, last: int | None) -> None:
    if first is None and last is None:
        return
    if first is None or last is None:
        raise _invalid("last_port" if last is None else "first_port", _("Give both ports or none."))
    if not FIRST_PORT <= first <= last <= LAST_PORT:
        limits = {"first": FIRST_PORT, "last": LAST_PORT}
        raise _invalid("last_port", _("Ports go from %(first)d to %(last)d, the first not above the last.") % limits)


def _save(pool: WorkerPool, options: Options) -> None:
    for column in COLUMNS:
        setattr(pool, column, getattr(options, column))
    try:
        with transaction.atomic():
            pool.save()
    except IntegrityError:
        raise _name_taken() from None  # by somebody who was faster
    pool.teams.set(options.teams)
    pool.projects.set(options.projects)


def _told(pool: WorkerPool) -> dict[str, object]:
    """For the audit log."""
    columns: dict[str, object] = {column: getattr(pool, column) for column in COLUMNS}
    columns["teams"] = sorted(pool.teams.values_list("slug", flat=True))
    columns["projects"] = sorted(pool.projects.values_list("slug", flat=True))
    return columns


@transaction.atomic
def make_default(*, pool: WorkerPool, by: Actor) -> WorkerPool:
    """Let runs that name no pool run on this one."""
    pools = {row.pk: row for row in lock_all()}
    pool = pools.get(pool.pk) or leases.lock(pool.pk)
    if pool.is_default:
        return pool
    before = [row.name for row in pools.values() if row.is_default]
    WorkerPool.objects.filter(is_default=True).update(is_default=False)
    pool.is_default = True
    pool.save(update_fields=["is_default"])
    audit.record("pool.make_default", obj=pool, team=None, by=by, before=before)
    return pool


def lock_all() -> list[WorkerPool]:
    """All pools, in one order for everybody. Before one of them is locked by who makes it the default, too: of two who
    do that at once, each would wait for the pool of the other."""
    return list(WorkerPool.objects.select_for_update().order_by("pk"))


# --- deleting -----------------------------------------------------------------------------------------------------


@transaction.atomic
def delete(*, pool: WorkerPool, by: Actor) -> None:
    """Raises Conflict for `local`, for the default pool, and for one that has hosts or has had runs."""
    pool = leases.lock(pool.pk)
    check_delete(pool=pool)
    audit.record("pool.delete", obj=pool, team=None, by=by)
    try:
        pool.delete()
    except ProtectedError as error:
        raise _has_runs(pool, len(error.protected_objects)) from None


def check_delete(*, pool: WorkerPool) -> None:
    """Whether `delete` would do it."""
    if pool.name == LOCAL:
        raise Conflict(_("The pool %(pool)s is always there.") % {"pool": pool}, code="pool_local")
    if pool.is_default:
        sentence = _("Pool %(pool)s is the default. Make another one the default first.") % {"pool": pool}
        raise Conflict(sentence, code="pool_default")
    hosts, runs = pool.hosts.count(), pool.runs.count()
    if hosts:
        sentence = ngettext("Pool %(pool)s has %(count)d host.", "Pool %(pool)s has %(count)d hosts.", hosts)
        raise Conflict(sentence % {"pool": pool, "count": hosts}, code="pool_has_hosts")
    if runs:
        raise _has_runs(pool, runs)


def _has_runs(pool: WorkerPool, runs: int) -> Conflict:
    sentence = ngettext(
        "%(count)d run was on pool %(pool)s, and is kept with it.",
        "%(count)d runs were on pool %(pool)s, and are kept with it.",
        runs,
    )
    return Conflict(sentence % {"pool": pool, "count": runs}, code="pool_has_runs")


# --- who may use it -----------------------------------------------------------------------------------------------


def usable_by(project: Project) -> QuerySet[WorkerPool]:
    """The pools that runs of this project may be on, by name."""
    named = Q(pk__in=WorkerPool.teams.through.objects.filter(team_id=project.team_id).values("workerpool_id"))
    named |= Q(pk__in=WorkerPool.projects.through.objects.filter(project_id=project.pk).values("workerpool_id"))
    return WorkerPool.objects.filter(named | Q(is_for_all=True))


def pool_for(*, project: Project, ref: str | None = None) -> WorkerPool:
    """The pool with this id or name; without one, the default, or the first by name if that is not for this project.

    Raises Invalid when there is none or it is not for this project: the same answer for both.
    """
    pools = usable_by(project)
    if not ref:
        pool = pools.order_by("-is_default", "name").first()
        sentence = _("No worker pool is open to this project. The portal's admin opens one on the settings of a pool.")
    else:
        pool, sentence = _by_ref(pools, ref), _("There is no such pool, or it is not open to this project.")
    if pool is None:
        raise Invalid(sentence, code="no_pool", fields={"pool": [sentence]})
    return pool


def _by_ref(pools: QuerySet[WorkerPool], ref: str) -> WorkerPool | None:
    if "\x00" in ref:
        return None
    return pools.filter(pk=ref).first() if is_uuid(ref) else pools.filter(name=ref).first()


def _invalid(field: str, sentence: str) -> Invalid:
    return Invalid(sentence, fields={field: [sentence]})


def _name_taken() -> Invalid:
    sentence = _("This name is taken.")
    return Invalid(sentence, code="name_taken", fields={"name": [sentence]})
