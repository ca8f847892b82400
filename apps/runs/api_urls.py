"""REST of runs, version 1."""

from __future__ import annotations

from django.urls import path, register_converter

from apps.runs import api, results_api
from apps.runs.exports import PUBLIC_FILES, WORKER_LOG


class FileNameConverter:
    """The names under which a run's files can be had."""

    regex = "|".join([*sorted(name.replace(".", r"\.") for name in PUBLIC_FILES), WORKER_LOG.pattern])

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(FileNameConverter, "runfile")

urlpatterns = [
    path("runs/", api.RunList.as_view(), name="runs"),
    path("runs/<uuid:pk>/", api.RunDetail.as_view(), name="run"),
    path("runs/<uuid:pk>/stop/", api.RunStop.as_view(), name="run-stop"),
    path("runs/<uuid:pk>/abort/", api.RunAbort.as_view(), name="run-abort"),
    path("runs/<uuid:pk>/events/", api.RunEvents.as_view(), name="run-events"),
    path("runs/<uuid:pk>/endpoints/", api.RunEndpoints.as_view(), name="run-endpoints"),
    path("runs/<uuid:pk>/failures/", api.RunFailures.as_view(), name="run-failures"),
    path("runs/<uuid:pk>/failures/<int:index>/samples/", api.RunFailureSamples.as_view(), name="run-failure-samples"),
    path("runs/<uuid:pk>/exceptions/", api.RunExceptions.as_view(), name="run-exceptions"),
    path("runs/<uuid:pk>/identities/", api.RunIdentities.as_view(), name="run-identities"),
    path("runs/<uuid:pk>/workers/", api.RunWorkers.as_view(), name="run-workers"),
    path("runs/<uuid:pk>/log/", api.RunLog.as_view(), name="run-log"),
    path("runs/<uuid:pk>/series/", results_api.RunSeries.as_view(), name="run-series"),
    path("runs/<uuid:pk>/summary/", results_api.RunSummary.as_view(), name="run-summary"),
    path("runs/<uuid:pk>/heatmap/", results_api.RunHeatmap.as_view(), name="run-heatmap"),
    path("runs/<uuid:pk>/distribution/", results_api.RunDistribution.as_view(), name="run-distribution"),
    path("runs/<uuid:pk>/phases/", results_api.RunPhases.as_view(), name="run-phases"),
    path("runs/<uuid:pk>/<runfile:name>", results_api.RunFile.as_view(), name="run-file"),
]
