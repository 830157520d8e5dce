"""The outside world: tasks, sockets, clocks and child processes."""
