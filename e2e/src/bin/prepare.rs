//! Installs the parts of the end-to-end tests that are missing: Node, Python, and as root Debian's.

fn main() -> anyhow::Result<()> {
    lockgate_e2e::prepare::prepare()?;
    if lockgate_e2e::disk::may_mount() {
        lockgate_e2e::prepare::debian()?;
    }
    lockgate_e2e::say("the end-to-end parts are in place");
    Ok(())
}
