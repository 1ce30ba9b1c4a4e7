"""Learning: plan, preprocessing, network, methods, trainer."""
