"""`make demo` tells a story that is true."""

import subprocess
import sys
from pathlib import Path

STORY = Path(__file__).parents[3] / "demo" / "story.py"


def test_the_demo_loses_nothing_though_its_server_is_killed() -> None:
    told = subprocess.run([sys.executable, STORY], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "kill -9" in told.stdout
    assert "Nothing was lost and nothing happened twice." in told.stdout
