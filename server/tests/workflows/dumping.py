"""The whole database, as a backup would hold it."""

import os
import subprocess

from bivelio_server.installation import Installation
from bivelio_server.kit.postgres_process import binary


def dump(installation: Installation) -> str:
    command = [binary("pg_dump"), "--inserts", f"--dbname={installation.owner_url}"]
    return subprocess.run(command, capture_output=True, text=True, check=True, env={"PATH": os.defpath}).stdout
