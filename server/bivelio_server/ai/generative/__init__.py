"""Models that write, at a provider: Gemini, or any server compatible with OpenAI.

pydantic-ai speaks to both. It and the providers' own libraries take three seconds of CPU to import, so only the modules
in `wire/` import them, and `loading.py` imports those in a thread when a model is first asked.
"""

from bivelio_server.ai.generative.adapter import GenerativeAI
from bivelio_server.ai.generative.configuration import Configuration, configuration_of

__all__ = ["Configuration", "GenerativeAI", "configuration_of"]
