//! Getting started with Compose: the files hold what they promise, and what they would run is run: the
//! image's command as its user, on a root of its own that nothing writes to, with the Compose file's
//! mounts, beside its issuer and its sample server. No container engine takes part.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use lockgate_e2e::{
    gateway::binary,
    prepare, repository,
    tools::{node_path, packages, python_program, run, script_path},
};
use serde_json::{Value, json};

const BINARY: &str = "/usr/local/bin/lockgate";

#[test]
fn the_services_promise_what_the_guide_says() {
    let compose = compose().unwrap();
    for name in ["gateway", "issuer", "server"] {
        let service = &compose["services"][name];
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(service["user"], "65532:65532", "{name}");
        assert_eq!(service["cap_drop"], json!(["ALL"]), "{name}");
        assert_eq!(service["security_opt"], json!(["no-new-privileges:true"]), "{name}");
        assert_eq!(service["privileged"], Value::Null, "{name}");
        for (variable, _) in service["environment"].as_object().into_iter().flatten() {
            assert_eq!(variable, "PORT", "{name}: a secret is a file");
        }
    }
    // The server is reached through the gateway alone.
    let server = &compose["services"]["server"];
    assert_eq!(server["ports"], Value::Null);
    assert_eq!(server["networks"], json!(["inside"]));
    assert_eq!(compose["networks"]["inside"]["internal"], true);
    // Nobody else's machine reaches the gateway or the development issuer.
    for port in compose["services"]["gateway"]["ports"].as_array().unwrap() {
        assert!(port.as_str().unwrap().starts_with("127.0.0.1:"), "{port}");
    }
    for (name, secret) in compose["secrets"].as_object().unwrap() {
        let file = folder().join(secret["file"].as_str().unwrap());
        assert!(file.is_file(), "{name}");
    }
}

/// By the schema that the Compose Specification publishes.
#[test]
fn the_file_is_what_compose_reads() {
    let (file, wrong) = (
        folder().join("compose.yaml"),
        tempfile::Builder::new().suffix(".yaml").tempfile().unwrap(),
    );
    let text = fs::read_to_string(&file).unwrap();
    fs::write(wrong.path(), text.replace("read_only:", "readonly:")).unwrap();
    for (file, code) in [(file.as_path(), 0), (wrong.path(), 1)] {
        let mut command = python_program("check-jsonschema").unwrap();
        command.args(["--builtin-schema", "vendor.compose-spec"]).arg(file);
        let said = run(command, Duration::from_secs(30)).unwrap();
        assert_eq!(said.code, code, "{}", said.text);
        assert_eq!(code == 1, said.text.contains("'readonly' was unexpected"), "{}", said.text);
    }
}

#[test]
fn the_image_is_pinned_and_runs_as_nobody() {
    for file in ["Dockerfile", "compose/sample/Dockerfile"] {
        let mut lint = python_program("hadolint").unwrap();
        lint.args(["--no-color", "--failure-threshold", "style"]);
        lint.arg(repository().join("deploy").join(file));
        let said = run(lint, Duration::from_secs(30)).unwrap();
        assert_eq!((said.code, &*said.text), (0, ""), "{file}");
        let steps = steps(file).unwrap();
        let all =
            |word| steps.iter().filter(move |(w, _)| w == word).map(|(_, rest)| rest.as_str());
        assert_eq!(all("ADD").count(), 0, "{file}");
        assert_eq!(all("USER").next_back(), Some("65532:65532"), "{file}");
        for image in all("FROM") {
            let (_, tag) = image.split(' ').next().unwrap().rsplit_once(':').expect(image);
            assert_ne!(tag, "latest", "{file}");
        }
    }
    let image = steps("Dockerfile").unwrap();
    let stages: Vec<_> = image.iter().filter(|(word, _)| word == "FROM").collect();
    assert_eq!(stages.len(), 2);
    assert!(stages[1].1.starts_with("gcr.io/distroless/cc-"), "{stages:?}");
    let health = form(&image, "HEALTHCHECK").unwrap();
    assert_eq!(health[..2], [BINARY, "health"]);
}

#[test]
fn what_the_compose_file_runs_lets_engineers_in() {
    prepare::prepare().unwrap();
    prepare::debian().unwrap();
    let root = tempfile::tempdir().unwrap();
    let plan = plan(root.path()).unwrap();
    let mut command = Command::new("bwrap");
    command.args(["--unshare-net", "--die-with-parent", "--dev-bind", "/", "/", "--ro-bind"]);
    command.arg(root.path().join("image/etc/hosts")).arg("/etc/hosts");
    command.args(["--tmpfs", "/run", "--ro-bind"]).arg(folder().join("secrets"));
    command.args(["/run/secrets", "--"]).arg(node_path());
    command.arg(script_path("compose.mjs").unwrap()).arg(plan);
    let said = run(command, Duration::from_secs(100)).unwrap();
    let seen: Value = serde_json::from_str(&said.text).expect(&said.text);
    assert_eq!(seen["fault"], Value::Null, "{seen:#}");

    assert_eq!(seen["before"]["code"], 3, "nobody answers yet: {}", seen["before"]);
    assert_eq!(seen["ready"]["code"], 0, "{}", seen["ready"]);
    assert!(!seen["log"].to_string().contains("https will fail"), "{}", seen["log"]);
    assert_eq!(seen["stranger"]["status"], 401, "{}", seen["stranger"]);
    let text = |pointer: &str| seen.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    assert!(text("/ann/echo/text").contains("Echo: through the gate"), "{seen:#}");
    assert!(text("/ann/tools/text").contains("get-sum"), "{}", seen["ann"]);
    assert!(!text("/ann/tools/text").contains("get-env"), "{}", seen["ann"]);
    assert!(!text("/ann/hidden/text").contains("PATH"), "{}", seen["ann"]);
    // Somebody whose groups no policy names.
    assert!(!text("/ben/tools/text").contains("\"echo\""), "{}", seen["ben"]);
    assert!(!text("/ben/echo/text").contains("Echo:"), "{}", seen["ben"]);
    assert!(!seen["ben"].to_string().contains("through the gate"), "{}", seen["ben"]);
    for file in ["server-authorization", "client-secret"] {
        let secret = fs::read_to_string(folder().join("secrets").join(file)).unwrap();
        assert!(!text("/log").contains(secret.trim()), "{file}");
    }
}

/// The commands of the three services and of the health check, in a file.
fn plan(root: &Path) -> anyhow::Result<PathBuf> {
    let image = steps("Dockerfile")?;
    let entrypoint = form(&image, "ENTRYPOINT")?;
    let gateway = contained(root, &[entrypoint, form(&image, "CMD")?].concat())?;
    let health = contained(root, &form(&image, "HEALTHCHECK")?)?;
    // Imports are looked up beside a script.
    let issuer = packages().with_file_name("compose-issuer.mjs");
    fs::copy(folder().join("sample/issuer.mjs"), &issuer)?;
    let everything = packages().join("@modelcontextprotocol/server-everything/dist/index.js");
    let plan = root.join("plan.json");
    let settings = json!({
        "gateway": gateway,
        "health": health,
        "issuer": [node_path(), issuer],
        "server": ["env", "PORT=3001", node_path(), everything, "streamableHttp"],
        "secret": fs::read_to_string(folder().join("secrets/client-secret"))?.trim(),
    });
    fs::write(&plan, settings.to_string())?;
    Ok(plan)
}

/// A command as the container has it: the image's files, read-only, with the mounts of the Compose file.
fn contained(root: &Path, command: &[String]) -> anyhow::Result<Vec<String>> {
    let (image, data) = (root.join("image"), root.join("data"));
    fs::create_dir_all(&data)?;
    for inner in
        ["proc", "dev", "etc/lockgate/policies", "run/secrets", "usr/local/bin", "var/lib/lockgate"]
    {
        fs::create_dir_all(image.join(inner))?;
    }
    fs::write(image.join("etc/hosts"), "127.0.0.1 localhost server\n")?;
    fs::write(
        image.join("etc/passwd"),
        "nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n",
    )?;
    let mut words: Vec<String> = ["bwrap", "--unshare-user", "--unshare-pid", "--cap-drop", "ALL"]
        .map(str::to_owned)
        .to_vec();
    words.extend(["--uid", "65532", "--gid", "65532", "--clearenv"].map(str::to_owned));
    let mut bind = |kind: &str, from: &Path, to: &str| {
        words.extend([kind.to_owned(), from.display().to_string(), to.to_owned()]);
    };
    for library in libraries()? {
        place(&image, &library)?;
    }
    place(&image, Path::new("/etc/ssl/certs/ca-certificates.crt"))?;
    place_as(&image, binary()?, BINARY)?;
    for mounted in ["etc/lockgate/lockgate.yaml", "run/secrets/server-authorization"] {
        fs::write(image.join(mounted), "")?;
    }
    bind("--ro-bind", &image, "/");
    let compose = compose()?;
    for mount in compose["services"]["gateway"]["volumes"].as_array().context("volumes")? {
        let parts: Vec<_> = mount.as_str().context("a mount")?.split(':').collect();
        match parts[..] {
            ["data", to] => bind("--bind", &data, to),
            [from, to, "ro"] => bind("--ro-bind", &folder().join(from), to),
            _ => anyhow::bail!("{mount} is mounted in a way that this test does not know"),
        }
    }
    let secrets = compose["services"]["gateway"]["secrets"].as_array().context("secrets")?;
    for name in secrets.iter().filter_map(Value::as_str) {
        let file = compose["secrets"][name]["file"].as_str().context("a file")?;
        bind("--ro-bind", &folder().join(file), &format!("/run/secrets/{name}"));
    }
    words.extend(["--proc", "/proc", "--dev", "/dev", "--"].map(str::to_owned));
    words.extend(command.iter().cloned());
    Ok(words)
}

/// The libraries that the binary needs, by the loader's own word.
fn libraries() -> anyhow::Result<Vec<PathBuf>> {
    let mut command = Command::new("ldd");
    command.arg(binary()?);
    let said = run(command, Duration::from_secs(10))?;
    let paths = said.text.split_whitespace().filter(|word| word.starts_with('/'));
    let libraries: Vec<PathBuf> = paths.map(PathBuf::from).collect();
    ensure!(libraries.len() > 2, "{}", said.text);
    Ok(libraries)
}

fn place(image: &Path, file: &Path) -> anyhow::Result<()> {
    place_as(image, file, file.to_str().context("a path")?)
}

fn place_as(image: &Path, file: &Path, inner: &str) -> anyhow::Result<()> {
    let to = image.join(inner.trim_start_matches('/'));
    fs::create_dir_all(to.parent().context("a folder")?)?;
    if !to.exists() {
        fs::copy(file, to)?;
    }
    Ok(())
}

fn folder() -> PathBuf {
    repository().join("deploy/compose")
}

fn compose() -> anyhow::Result<Value> {
    Ok(serde_saphyr::from_str(&fs::read_to_string(folder().join("compose.yaml"))?)?)
}

/// The instructions of a Dockerfile, each with what follows it. None of ours goes over its line.
fn steps(file: &str) -> anyhow::Result<Vec<(String, String)>> {
    let text = fs::read_to_string(repository().join("deploy").join(file))?;
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let step = |line: &str| {
        ensure!(!line.ends_with('\\'), "`{line}` goes on");
        let (word, rest) = line.split_once(' ').with_context(|| line.to_owned())?;
        Ok((word.to_owned(), rest.to_owned()))
    };
    lines.map(step).collect()
}

/// The words of an instruction in its exec form, which needs no shell.
fn form(steps: &[(String, String)], word: &str) -> anyhow::Result<Vec<String>> {
    let (_, rest) = steps.iter().find(|(w, _)| w == word).with_context(|| word.to_owned())?;
    let from = rest.find('[').with_context(|| format!("{word} needs a shell"))?;
    Ok(serde_json::from_str(&rest[from..])?)
}
