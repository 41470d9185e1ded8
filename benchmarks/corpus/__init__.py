"""Made-up documents with their truth: seeded, in unlike layouts, some of which nobody looks at while tuning rules."""
