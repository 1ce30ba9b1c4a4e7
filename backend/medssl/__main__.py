"""`python -m medssl`: the command line, where the program `medssl` is not on the path."""

from medssl.cli import main

if __name__ == "__main__":
    main()
