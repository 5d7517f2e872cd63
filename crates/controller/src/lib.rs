//! Serves the API, stores what was asked for, plans, and hands every node its state.
