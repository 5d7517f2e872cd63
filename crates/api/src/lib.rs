//! People's door: the contracts of the local sockets, and their framing.
