"""Approvals: decisions that runs wait for, and the people who take them."""
