//! `lockgate mask`: what people and their scripts see of it.

use serde_json::Value;

use crate::folder::{Folder, fed};

const ANSWER: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"structuredContent":{
  "rows": [{"email": "jane.roe@globex.com", "card": 4111111111111111, "price": 1.50}]
}}}
"#;

#[test]
fn what_is_masked_is_shown_with_its_place() {
    let folder = Folder::new();
    folder.write("answer.json", ANSWER);
    folder.write("broken.json", "{\"a\":");
    folder.write("stream.txt", "id: 1\ndata: [\"jane.roe@globex.com\"]\n\n");
    folder.write("note.txt", "ask jane.roe@globex.com\n");
    for (name, arguments) in [
        ("answer", &["answer.json"][..]),
        ("answer-json", &["answer.json", "--json"]),
        ("revealed", &["answer.json", "--reveal", "pii"]),
        ("stream", &["stream.txt"]),
        ("text", &["note.txt"]),
        ("refused", &["broken.json"]),
    ] {
        let arguments = [&["mask", "try"], arguments].concat();
        insta::assert_snapshot!(format!("mask-{name}"), folder.run(&arguments));
    }
    assert_eq!(folder.exit(&["mask", "try", "broken.json"]), 1);
}

#[test]
fn a_corpus_is_read_line_by_line_and_keeps_its_fields() {
    let corpus = r#"{"id":1,"json":"{\"a\":\"jane.roe@globex.com\"}","mine":{"b":1,"a":2}}
{"id":2,"json":"data: {\"a\":\"jane.roe@globex.com\"}\n\n"}

{"id":3,"text":"nothing"}
{"id":4,"json":"{\"a\""}
"#;
    let output = fed(&Folder::new(), &["mask", "try", "--jsonl"], corpus);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.starts_with(
            r#"{"id":1,"json":"{\"a\":\"jane.roe@globex.com\"}","mine":{"b":1,"a":2},"#
        )
    );
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let masked: Vec<&Value> = lines.iter().map(|line| &line["masked"]).collect();
    let expected = [r#"{"a":"[pii.email]"}"#, "data: {\"a\":\"[pii.email]\"}\n\n", "nothing"];
    assert_eq!(masked[..3], expected);
    assert!(masked[3].is_null() && lines[3]["refused"].is_string(), "{}", lines[3]);
    assert_eq!(
        (&lines[0]["findings"][0]["class"], &lines[0]["findings"][0]["path"]),
        (&"pii.email".into(), &"$.a".into())
    );
}
