//! Links the module so that `dlclose` never unmaps it: a host's exit handlers may still hold
//! addresses of it.

fn main() {
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    println!("cargo::rerun-if-changed=build.rs");
}
