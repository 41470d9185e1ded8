"""boxes.*: who is in a box, what is in it, and what is found there."""
