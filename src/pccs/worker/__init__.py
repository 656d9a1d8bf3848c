"""The child process that owns the accelerator, and the torch-free client that talks to it."""
