//! Answers with personal data in them: every client takes what is left of them, and none sees the rest.

use std::fs;

use anyhow::ensure;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use lockgate_e2e::say;
use serde_json::{Value, json};

use super::House;

const EMAIL: &str = "jane.roe@globex.com";
const CARD: &str = "4716044839205619";
/// One transparent pixel.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

const CLIENTS: [&str; 3] = ["ts-v1", "ts-v2", "python"];

#[test]
fn every_client_takes_masked_answers() {
    let house = House::start().unwrap();
    let mut taken = 0;
    for client in CLIENTS {
        taken += files(&house, client).unwrap();
        taken += people(&house, client).unwrap();
    }
    say(&format!("masked answers: {taken} taken by {} clients, 0 refused", CLIENTS.len()));
}

/// All tools of server-filesystem, each with an output schema and a text that mirrors the result.
fn files(house: &House, client: &str) -> anyhow::Result<usize> {
    let folder = house.files.path().join(client);
    fs::create_dir(&folder)?;
    let path = |name: &str| folder.join(name);
    fs::write(path("people.csv"), format!("name,email,card\nJane Roe,{EMAIL},{CARD}\n"))?;
    fs::write(path(&format!("{EMAIL}.txt")), format!("write to {EMAIL}\n"))?;
    fs::write(path("dot.png"), BASE64_STANDARD.decode(PNG)?)?;
    let calls = [
        ("read_file", json!({ "path": path("people.csv") })),
        ("read_text_file", json!({ "path": path("people.csv") })),
        ("read_media_file", json!({ "path": path("dot.png") })),
        (
            "read_multiple_files",
            json!({ "paths": [path("people.csv"), path(&format!("{EMAIL}.txt"))] }),
        ),
        ("list_directory", json!({ "path": folder })),
        ("list_directory_with_sizes", json!({ "path": folder })),
        ("directory_tree", json!({ "path": folder })),
        ("search_files", json!({ "path": folder, "pattern": "*roe*" })),
        ("get_file_info", json!({ "path": path(&format!("{EMAIL}.txt")) })),
        ("list_allowed_directories", json!({})),
        ("write_file", json!({ "path": path(&format!("new-{EMAIL}")), "content": EMAIL })),
        (
            "edit_file",
            json!({ "path": path("people.csv"),
            "edits": [{ "oldText": "Jane Roe", "newText": "Jane M. Roe" }] }),
        ),
        ("create_directory", json!({ "path": path("of-jane.roe@globex.com") })),
        (
            "move_file",
            json!({ "source": path("dot.png"), "destination": path(&format!("{EMAIL}.png")) }),
        ),
    ];
    let results = ask(house, client, "files", &calls)?;
    for (call, result) in calls.iter().zip(&results) {
        let told = result.to_string();
        let silent =
            matches!(call.0, "read_media_file" | "list_allowed_directories" | "get_file_info");
        ensure!(silent || told.contains("[pii.email]"), "{client} {}: {told}", call.0);
    }
    ensure!(results[2].to_string().contains(&PNG[..40]), "{client}: the image is another");
    // What was written is what was sent: masking is for answers.
    ensure!(
        fs::read_to_string(path(&format!("new-{EMAIL}")))? == EMAIL,
        "{client}: masked on the way up"
    );
    Ok(results.len())
}

/// A database server over a sample database of employees.
fn people(house: &House, client: &str) -> anyhow::Result<usize> {
    let calls = [
        ("execute_sql", json!({ "sql": "SELECT * FROM employee ORDER BY emp_no LIMIT 3" })),
        (
            "execute_sql",
            json!({ "sql": "SELECT first_name || ' ' || last_name AS full_name, birth_date FROM employee LIMIT 3" }),
        ),
        ("search_objects", json!({ "object_type": "table", "detail_level": "full" })),
    ];
    let results = ask(house, client, "people", &calls)?;
    for result in &results[..2] {
        let told = result.to_string();
        ensure!(
            told.contains("[pii.name]") && told.contains("[pii.birth_date]"),
            "{client}: {told}"
        );
        for value in ["Georgi", "Facello", "1953-09-02"] {
            ensure!(!told.contains(value), "{client}: {told}");
        }
    }
    let (rows, tables) = (results[0].to_string(), results[2].to_string());
    ensure!(rows.contains("1986-06-26") && rows.contains("10001"), "{client}: {rows}");
    ensure!(tables.contains("birth_date"), "{client}: {tables}");
    Ok(results.len())
}

/// The results of these calls, of which the client refused none.
fn ask(
    house: &House,
    client: &str,
    server: &str,
    calls: &[(&str, Value)],
) -> anyhow::Result<Vec<Value>> {
    let calls = serde_json::to_string(calls)?;
    let seen = house.ask(client, server, "engineer", "*", &calls, "legacy")?;
    let results = seen["results"].as_array().cloned().unwrap_or_default();
    ensure!(!results.is_empty(), "{client} to {server}: {seen}");
    for result in &results {
        let good = result["fault"].is_null() && result["isError"] != true;
        ensure!(good, "{client} to {server}: {result}");
        let told = result.to_string();
        ensure!(!told.contains(EMAIL) && !told.contains(CARD), "{client} to {server}: {told}");
    }
    Ok(results)
}
