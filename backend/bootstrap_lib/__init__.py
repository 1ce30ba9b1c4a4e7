"""The parts of `bootstrap.py`: standard library only, apart from `medssl.host`, which is so too."""
