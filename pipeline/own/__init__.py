"""The user's own Python, named in YAML as ``module:function``: it runs as their code, with their rights."""
