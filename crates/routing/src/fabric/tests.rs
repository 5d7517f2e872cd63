mod invariants;
mod mesh;
mod net;
mod random;
mod triangle;
