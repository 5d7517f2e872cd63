//! Compiles the kernel's programs from C, each for tc and for XDP.

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Compilers that are tried, best first. Debian 12's is the one that is tested.
const COMPILERS: [&str; 2] = ["clang-14", "clang"];
/// Objects, and what is defined for each.
const OBJECTS: [(&str, &[&str]); 4] = [
    ("tc.o", &[]),
    ("xdp.o", &["-DXDP"]),
    ("tc-timing.o", &["-DTIMING"]),
    ("xdp-timing.o", &["-DXDP", "-DTIMING"]),
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=bpf");
    println!("cargo::rerun-if-env-changed=BPF_CLANG");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let arch = env::var("CARGO_CFG_TARGET_ARCH")?;
    let named = env::var("BPF_CLANG").ok();
    let compilers: Vec<&str> = match &named {
        Some(named) => vec![named],
        None => COMPILERS.to_vec(),
    };
    for (object, defines) in OBJECTS {
        compile(&compilers, &out.join(object), defines, &arch)?;
    }
    Ok(())
}

fn compile(
    compilers: &[&str],
    object: &Path,
    defines: &[&str],
    arch: &str,
) -> Result<(), Box<dyn Error>> {
    for compiler in compilers {
        let done = Command::new(compiler)
            .args([
                "-O2",
                "-g",
                "-Wall",
                "-Wextra",
                "-Wno-unused-parameter",
                "-Werror",
            ])
            .args(["-target", "bpf", "-mcpu=v3"])
            .arg(format!("-I/usr/include/{arch}-linux-gnu"))
            .args(defines)
            .args(["-c", "bpf/boundary.c", "-o"])
            .arg(object)
            .status();
        match done {
            Ok(status) if status.success() => return Ok(()),
            Ok(status) => return Err(format!("{compiler} failed ({status})").into()),
            Err(_) => {}
        }
    }
    let tried = compilers.join(", ");
    Err(format!(
        "no compiler for the kernel's programs (tried {tried}): install clang-14, libbpf-dev and linux-libc-dev, or name one in BPF_CLANG"
    )
    .into())
}
