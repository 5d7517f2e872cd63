//! Best paths by prefix, of all protocols.
