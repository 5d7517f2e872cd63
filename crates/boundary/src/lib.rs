//! Boundary services: between the customer's network and the fabric.
