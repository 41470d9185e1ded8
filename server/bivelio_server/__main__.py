"""How the `bivelio-server` command starts: everything is loaded first, with the garbage collector at rest.

Of what is loaded almost nothing is ever garbage: to look for it meanwhile took a fifth of the start, and to look at it
again in every full collection delays whoever is waiting just then.
"""

import gc
from importlib import import_module


def main() -> None:
    gc.disable()
    cli = import_module("bivelio_server.cli")
    gc.freeze()
    gc.enable()
    cli.main()


if __name__ == "__main__":
    main()
