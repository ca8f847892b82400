"""What a block begins with, which columns it has, and how many of each thing there may be."""

from __future__ import annotations

import struct

from workers.samples import MAX_ENDPOINTS, Health

MAX_ROWS = 4_096
"""Rows of a block: an hour of seconds, and some."""
MAX_INDEXES = MAX_ENDPOINTS + 2
"""Those, the one for all others, and `TOTAL`."""

HEALTH = tuple(Health.__slots__)

HEAD = struct.Struct("<2sBBHHHHIII")
"""Magic, compression, flags, rows, classes, endpoints, chunks, cells, errors, bytes of the section of rows."""
MAGIC = b"H2"
HAS_HEALTH, HAS_SKETCHES, HAS_PERCENTILES, HAS_EXTREMES, HAS_WHOLE = 1, 2, 4, 8, 16

ROW_COLUMNS = {"seq": "I", "t": "q", "users": "I", "users_low": "I", "seconds": "H", "error_counts": "H"}
DIRECTORY = {"endpoints": "H", "cells": "H", "request_bytes": "Q"}
CHUNK_COLUMNS = {"ends": "H", "figure_bytes": "I", "sketch_bytes": "I", "sketch_raw": "I"}
