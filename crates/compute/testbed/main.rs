//! Stands in for the server in tests: the sandbox helper, and a server that can be killed.

fn main() {
    fogbank_compute::sandbox::maybe_enter();
}
