"""Many rows in one go."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from apps.core.bulk import update_each
from apps.pools.models import WorkerHost, WorkerPool

pytestmark = pytest.mark.django_db


def test_each_row_gets_its_own_values_and_others_none() -> None:
    pool = WorkerPool.objects.create(name="lab")
    hosts = [WorkerHost.objects.create(pool=pool, name=f"host-{number}", cores=2) for number in range(4)]
    now = timezone.now()
    for number, host in enumerate(hosts):
        host.report = {"disk_percent": 1.5 * number, "addresses": [f"10.0.0.{number}"], "text": "% %s ' 漢"}
        host.slots, host.last_seen_at, host.cores = number or None, now - timedelta(seconds=number), 64
    update_each(hosts[:3], "report", "slots", "last_seen_at")
    stored = list(WorkerHost.objects.order_by("name"))
    for found, wanted in zip(stored[:3], hosts, strict=False):
        assert (found.report, found.slots, found.last_seen_at) == (wanted.report, wanted.slots, wanted.last_seen_at)
        assert found.cores == 2
    assert (stored[3].report, stored[3].slots, stored[3].last_seen_at) == ({}, None, None)


def test_no_row_is_no_question(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(0):
        update_each([], "report")
