"""Make an environment for MedSSL, install the engine into it, and run a command there.

    python3 backend/bootstrap.py demo       the whole job on scans of its own, and a report
    python3 backend/bootstrap.py test       every check and test
    python3 backend/bootstrap.py medssl ... the command line

Nothing but Python is needed. This file keeps to words that every Python since 2.7 understands, so that an
old one can say that it is too old; the work is done in `bootstrap_lib`.
"""

import os
import shutil
import subprocess
import sys

OLDEST, TOO_NEW = (3, 10), (3, 15)


def works(python):
    # type: (str) -> bool
    """Whether this Python starts: version managers leave programs in the path that do not."""
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - see above
        return subprocess.call([python, "-c", ""], stdout=nowhere, stderr=nowhere) == 0


def wrong_python():
    # type: () -> str
    """Say what to do when this Python cannot be used, or return ''."""
    if OLDEST <= sys.version_info[:2] < TOO_NEW:
        return ""
    text = "This is Python {}.{}; MedSSL needs Python 3.10 to 3.14.".format(*sys.version_info[:2])
    which = getattr(shutil, "which", lambda name: None)  # Python 2 has none
    for minor in (12, 11, 13, 14, 10):
        other = which("python3.{}".format(minor))  # noqa: UP032 - no f-strings before Python 3.6
        if other and works(other):
            command = " ".join(sys.argv)
            return '{} There is one here: "{}" {}'.format(text, other, command)  # noqa: UP032 - as above
    return text + " Install one from https://www.python.org/downloads/ and start this command with it."


if __name__ == "__main__":
    refusal = wrong_python()
    if refusal:
        sys.exit(refusal)
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - see above
    from bootstrap_lib.main import main

    sys.exit(main(sys.argv[1:]))
