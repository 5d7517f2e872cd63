//! The management gateway: finds, locates and commands every service processor of a rack.
