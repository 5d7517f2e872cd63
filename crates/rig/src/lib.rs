//! Test rigs of real kernels: namespaces, clients, guests in QEMU. Nothing that is shipped depends on it.
