//! Installs the Node and Python parts of the end-to-end tests, where they are missing.

fn main() -> anyhow::Result<()> {
    lockgate_e2e::prepare::prepare()?;
    lockgate_e2e::say("the end-to-end parts are in place");
    Ok(())
}
