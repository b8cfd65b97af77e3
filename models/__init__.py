"""Networks in torch and nothing else: no configuration, no files, no training.

Import an architecture from its module, or by name::

    from seqpress.models.registry import architectures, build
    build("gru", inputs=12, hidden=32)
"""
