//! Service processors and management switches of a rack, simulated over real frames.
