"""The worker on another computer: the same JSON lines at the other end of an ssh connection.

``python -m pccs.remote`` (:mod:`~pccs.remote.proxy`) stands in for the worker here. On the other computer a
keeper (:mod:`~pccs.remote.keeper`) owns a copy of the project and the real worker, and outlives connections.
"""
