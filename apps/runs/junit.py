"""A run as JUnit XML: what CI systems show in their list of tests."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from apps.runs.models import Endpoint, Run
from apps.runs.states import State, Verdict

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, not even escaped."""

FIGURES = ("requests", "failures", "p50_ms", "p95_ms", "p99_ms")


def render(run: Run) -> str:
    """One test case for the run itself, and one an endpoint with its figures. A run that is not over is skipped."""
    endpoints = list(run.endpoints.all())
    suite = ET.Element("testsuite", name=_clean(str(run)), tests=str(1 + len(endpoints)), time=f"{run.elapsed_s:.3f}")
    failed = int(_verdict(suite, run))
    for endpoint in endpoints:
        _endpoint(suite, endpoint)
    suite.set("failures", str(failed))
    return ET.tostring(suite, encoding="unicode", xml_declaration=True)


def _verdict(suite: ET.Element, run: Run) -> bool:
    """Whether the run itself failed."""
    case = ET.SubElement(
        suite, "testcase", classname="run", name=_clean(run.scenario.name), time=f"{run.elapsed_s:.3f}"
    )
    if not run.is_over:
        ET.SubElement(case, "skipped", message=f"The run is {run.state}.")
        return False
    bad_end = run.state in (State.FAILED, State.LOST)
    bad_verdict = run.verdict in (Verdict.FAILED, Verdict.INVALID)
    if bad_end or bad_verdict:
        kind = run.verdict if bad_verdict else run.state
        ET.SubElement(case, "failure", type=kind, message=_clean(run.diagnosis.get("message") or run.reason_text))
    return bad_end or bad_verdict


def _endpoint(suite: ET.Element, endpoint: Endpoint) -> None:
    totals = endpoint.totals
    seconds = (totals.get("avg_ms") or 0) / 1000
    case = ET.SubElement(suite, "testcase", classname="endpoint", name=_clean(str(endpoint)), time=f"{seconds:.3f}")
    figures = ", ".join(f"{name} {totals[name]}" for name in FIGURES if totals.get(name) is not None)
    if endpoint.locust_requests is not None:
        figures += f", counted by Locust {endpoint.locust_requests}"
    ET.SubElement(case, "system-out").text = _clean(figures)


def _clean(text: str) -> str:
    return NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
