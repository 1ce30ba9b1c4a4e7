"""From a model to segmentations: one scan (`predictor`), whole folders (`folder`), and how sure they are."""
