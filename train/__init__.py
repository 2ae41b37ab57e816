"""Training and measuring of the networks: ``train-inpainter`` and ``evaluate-inpainter``."""
