"""One strategy a file. Adding one is adding a file here that defines ``STRATEGY``; see ``base.py``."""
