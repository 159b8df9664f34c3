"""Ray Data: ``.cauf`` files as datasets, read and written by many machines, and backbones that run on them."""

from __future__ import annotations

from .cluster import cluster
from .datasink import CaufDatasink
from .datasource import CaufDatasource, read_cauf
from .extraction import Extraction, Shard

__all__ = ["CaufDatasink", "CaufDatasource", "Extraction", "Shard", "cluster", "read_cauf"]
