//! Has the linker pack relocations, where the system's loader can unpack them.
//!
//! The static tables of all models are full of pointers, which the loader sets at the start. Each takes 24 bytes in a
//! file that is read as a whole, or with most of them packed, some bits: three megabytes of an idle process's memory.

use std::process::Command;

/// The first version of glibc that knows packed relocations.
const GLIBC: (u32, u32) = (2, 36);

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|found| found == value);
    let is_built_for_here = std::env::var("HOST").ok() == std::env::var("TARGET").ok();
    if is("CARGO_CFG_TARGET_OS", "linux")
        && is("CARGO_CFG_TARGET_ENV", "gnu")
        && is_built_for_here
        && glibc().is_some_and(|version| version >= GLIBC)
    {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// The version of glibc here, which `getconf` tells as `glibc 2.36`.
fn glibc() -> Option<(u32, u32)> {
    let told = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let text = String::from_utf8(told.stdout).ok()?;
    let (major, minor) = text.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
