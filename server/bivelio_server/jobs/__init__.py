"""Long work in one shape: started by an operation, done batch after batch by a worker, followed with `jobs.get`.

A feature declares the operation with `Effect.job`, starts the job in it (`starting.start`) and describes its batches
with a `JobKind`, which `app.py` lists.
"""
