"""AI agents: instructions, granted operations and limits as data; invoking one, and what it did."""
