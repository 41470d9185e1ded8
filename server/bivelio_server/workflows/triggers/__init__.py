"""What starts runs by itself: events, schedules, and the end of the run before."""
