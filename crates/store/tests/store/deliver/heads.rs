//! Signed tree heads: file, syslog and web server, each with the same head.

use std::time::Duration;

use lockgate_model::Timestamp;
use lockgate_store::deliver::{
    Head, HeadDelivery, HeadSettings, Headers, HttpSettings, SyslogSettings,
};
use tempfile::TempDir;
use tokio::{sync::watch, time::timeout};

use super::{
    NOW_MS,
    receivers::{Syslogd, Web},
};

fn head(size: u64) -> Head {
    let text = format!("lockgate/node-1\n{size}\nq83vEg==\n\n— lockgate/node-1 c2ln\n");
    Head { size, time: Timestamp::from_millis(NOW_MS), text }
}

#[tokio::test]
async fn every_kind_of_receiver_gets_the_head_as_it_was_signed() {
    let (web, syslog) =
        (Web::start(&[503]).await, Syslogd::start(([127, 0, 0, 1], 0).into()).await);
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("heads");
    let url = format!("http://{}/heads", web.address).parse().unwrap();
    let to = HttpSettings { url, allow_cleartext: true, headers: [].into(), ca: None };
    let settings = [
        HeadSettings::File(file.clone()),
        HeadSettings::Syslog(SyslogSettings::tcp(syslog.address)),
        HeadSettings::Http(to),
    ];
    let (publish, heads) = watch::channel(None);
    let mut running = Vec::new();
    for settings in &settings {
        let delivery = HeadDelivery::new(settings, Headers::default(), "node-1").unwrap();
        let state = delivery.state();
        running.push((state, tokio::spawn(delivery.run(heads.clone()))));
    }
    for size in [3, 7] {
        publish.send_replace(Some(head(size)));
        for (state, _) in &mut running {
            let goal = state.wait_for(|state| state.sent_seq == size);
            timeout(Duration::from_secs(20), goal).await.expect("in time").unwrap();
        }
    }
    let both = format!("{}\n{}\n", head(3).text, head(7).text);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), both);
    let text = |json: &str| {
        let json: serde_json::Value = serde_json::from_str(json).unwrap();
        json["head"].as_str().unwrap().to_owned()
    };
    let messages = syslog.messages();
    let bodies: Vec<_> = messages.iter().map(|m| text(m.split_once("\"] ").unwrap().1)).collect();
    assert_eq!(bodies, [head(3).text, head(7).text]);
    assert!(messages.iter().all(|message| message.is_ascii() && message.contains(" head [")));
    let bodies: Vec<_> = web.posted().iter().map(|posted| text(&posted.body)).collect();
    assert_eq!(bodies, [head(3).text, head(3).text, head(7).text]);
    drop(publish);
    for (_, task) in running {
        timeout(Duration::from_secs(5), task).await.expect("ends with the journal").unwrap();
    }
}
