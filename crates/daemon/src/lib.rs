//! What every daemon has: log, lock, control socket, counters, and the manners of its command line.
