"""What each method makes of few annotated cases: equal time to train, the same unseen cases to score."""
