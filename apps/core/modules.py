"""What a JavaScript module imports, so that a page can name all of it at once.

A browser finds imports only when it has read the module that has them: without the names, each level of a graph is one
more round trip, and a compilation, before the next can begin.
"""

from __future__ import annotations

import posixpath
import re
from functools import cache
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles import finders

IMPORTED = re.compile(r"""^(?:import|export|\})[^"\n]*"(\.{1,2}/[^"\n]+)";""", re.MULTILINE)
"""Our own modules write their imports at the beginning of a line, by relative names in double quotes."""


def imports_of(name: str) -> list[str]:
    """Names of all static files that the module `name` imports, directly or not, in the order in which they are met."""
    return list(_kept_graph(name) if not settings.DEBUG else _graph(name))


def _graph(name: str) -> tuple[str, ...]:
    met = [name]
    for module in met:
        found = finders.find(module)
        if found is None:
            raise ValueError(f"The module {module} is not among the static files.")
        folder = posixpath.dirname(module)
        direct = (
            posixpath.normpath(posixpath.join(folder, path)) for path in IMPORTED.findall(Path(found).read_text())
        )
        met += [path for path in dict.fromkeys(direct) if path not in met]
    return tuple(met[1:])


_kept_graph = cache(_graph)
