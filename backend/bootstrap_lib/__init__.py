"""The parts of `bootstrap.py`: standard library only, as the two modules of `medssl` are that it needs."""
