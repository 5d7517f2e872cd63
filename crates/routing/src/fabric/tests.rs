mod net;
mod triangle;
