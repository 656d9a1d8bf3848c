"""Segmenting on many machines: what each worker of a Dask cluster does, and who hands it out.

``job.py`` is what travels to a worker, ``work.py`` what is done there, ``hand_out.py`` gives the images out:
``batches.py`` makes tasks of them, ``flight.py`` has those that are under way, ``tally.py`` writes down what
is done. ``places.py`` says where the workers come from. Dask is loaded when it is asked for.
"""

from pccs.cluster.hand_out import segment_on_cluster
from pccs.cluster.places import connected

__all__ = ["connected", "segment_on_cluster"]
