//! An MCP server over standard input and output that tells what it was started with, and misbehaves
//! where its first argument says so. The class of stdio rows runs it under the gateway.
#![expect(clippy::indexing_slicing, reason = "a JSON value gives null for what it lacks")]

use std::{
    fs::File,
    io::{BufRead as _, Write as _},
    net::TcpStream,
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mode = arguments.first().map(String::as_str).unwrap_or_default();
    if let Some(starts) = arguments.get(1).filter(|_| mode == "crash") {
        writeln!(File::options().create(true).append(true).open(starts)?, "start")?;
        return Ok(());
    }
    if mode == "secrets" {
        let secret = std::env::var("CHILD_SECRET").unwrap_or_default();
        writeln!(std::io::stderr(), "\x1b[31mmy secret is {secret}\x1b[0m")?;
        writeln!(std::io::stderr(), "{}", "x".repeat(1024 * 1024))?;
    }
    let _grandchild = match mode {
        // Both ignore TERM; the grandchild is in the same group and must go with it.
        "stubborn" => Some(Command::new("sh").args(["-c", "trap '' TERM; sleep 300"]).spawn()?),
        _ => None,
    };
    let mut output = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let message: Value = serde_json::from_str(&line?)?;
        let Some(result) = answer(&message, &arguments) else { continue };
        misbehave(mode, &message, &mut output)?;
        let answer = json!({ "jsonrpc": "2.0", "id": message["id"], "result": result });
        writeln!(output, "{answer}")?;
        output.flush()?;
    }
    if mode == "stubborn" {
        std::thread::sleep(Duration::from_secs(300));
    }
    Ok(())
}

/// Writes what no server should, before the answer to a tool's call.
fn misbehave(mode: &str, message: &Value, output: &mut impl std::io::Write) -> anyhow::Result<()> {
    if message["method"] != "tools/call" {
        return Ok(());
    }
    match mode {
        "noise" => {
            output.write_all(b"Server started!\n\n{\"half\":\n\x1b[2Jclear\n\0\0\n[]\n42\n{}\n")?;
            output.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":\"nobody\",\"result\":{}}\n")?;
        }
        "endless" => loop {
            output.write_all(&[b'x'; 64 * 1024])?;
        },
        _ => {}
    }
    Ok(())
}

fn answer(message: &Value, arguments: &[String]) -> Option<Value> {
    message.get("id")?;
    let modern = message.pointer("/params/_meta/io.modelcontextprotocol~1protocolVersion");
    let capabilities = json!({ "tools": {} });
    let server = json!({ "name": "stdio-fixture", "version": "1" });
    Some(match message["method"].as_str()? {
        "server/discover" => json!({ "resultType": "complete", "capabilities": capabilities,
            "supportedVersions": ["2025-11-25", "2026-07-28"], "ttlMs": 0, "cacheScope": "private",
            "_meta": { "io.modelcontextprotocol/serverInfo": server } }),
        "initialize" => json!({ "protocolVersion": message["params"]["protocolVersion"],
            "capabilities": capabilities, "serverInfo": server }),
        "tools/list" => {
            let schema = json!({ "type": "object", "properties": {} });
            let tool = |name: &str| json!({ "name": name, "inputSchema": schema });
            let tools = ["self", "echo", "read", "write", "dial", "allocate", "fork", "spin"];
            let tools = tools.map(tool);
            json!({ "resultType": "complete", "tools": tools, "ttlMs": 0, "cacheScope": "private" })
        }
        "tools/call" => {
            let told = match message["params"]["name"].as_str()? {
                "self" => json!({
                    "args": arguments,
                    "env": std::env::vars().collect::<std::collections::BTreeMap<_, _>>(),
                    "cwd": std::env::current_dir().ok(),
                    "pid": std::process::id(),
                    "user": rustix::process::geteuid().as_raw(),
                    "group": rustix::process::getegid().as_raw(),
                    "files": open_files(),
                }),
                "echo" => message["params"]["arguments"].clone(),
                name => match attempt(name, &message["params"]["arguments"]) {
                    Ok(done) => json!({ "done": done }),
                    Err(fault) => json!({ "failed": format!("{fault:#}") }),
                },
            };
            let content = json!([{ "type": "text", "text": told.to_string() }]);
            match modern {
                Some(_) => json!({ "resultType": "complete", "content": content }),
                None => json!({ "content": content }),
            }
        }
        _ => json!({}),
    })
}

/// Does what a server may want to do to the machine it runs on, and says how far it came.
fn attempt(what: &str, arguments: &Value) -> anyhow::Result<Value> {
    let text = |name: &str| arguments[name].as_str().unwrap_or_default();
    let number = usize::try_from(arguments["number"].as_u64().unwrap_or_default())?;
    Ok(match what {
        "read" => json!(std::fs::read_to_string(text("path"))?),
        "write" => json!(std::fs::write(text("path"), "written")?),
        "dial" => json!(TcpStream::connect(text("address")).map(drop)?),
        "allocate" => {
            let mut memory: Vec<u8> = Vec::new();
            memory.try_reserve_exact(number << 20)?;
            memory.resize(number << 20, 1);
            json!(memory.len())
        }
        "fork" => {
            let sleeper = || Command::new("/bin/sleep").arg("60").stdout(Stdio::null()).spawn();
            let mut sleepers: Vec<_> = (0..number).map_while(|_| sleeper().ok()).collect();
            let count = sleepers.len();
            for sleeper in &mut sleepers {
                sleeper.kill()?;
                sleeper.wait()?;
            }
            json!(count)
        }
        "spin" => loop {
            std::hint::spin_loop();
        },
        other => anyhow::bail!("no such tool: {other}"),
    })
}

/// What the process holds open besides its three streams.
fn open_files() -> Vec<String> {
    let entries = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let targets = entries.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    targets.map(|target| target.to_string_lossy().into_owned()).collect()
}
