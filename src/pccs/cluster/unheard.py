"""Loaded by Dask into the processes of a local cluster: Ctrl-C is for the command, which then ends them."""

import signal

signal.signal(signal.SIGINT, signal.SIG_IGN)
