//! Syslog over TCP, TLS and UDP.

use std::{io::Write as _, net::Ipv4Addr, time::Duration};

use lockgate_store::deliver::{Payload, Receiver, SyslogSettings, Transport};
use tokio::{net::UdpSocket, time::timeout};

use super::{Bed, assert_at_least_once, numbers, receivers::Syslogd, sink, tcp};

/// The JSON of messages.
fn texts(messages: &[String]) -> Vec<String> {
    messages.iter().map(|message| message.split_once("\"] ").unwrap().1.to_owned()).collect()
}

fn same_json(left: &str, right: &str) {
    let value = |text| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(value(left), value(right));
}

#[tokio::test]
async fn l1_messages_are_rfc_5424_byte_for_byte() {
    let server = Syslogd::start(([127, 0, 0, 1], 0).into()).await;
    let bed = Bed::new();
    bed.record("ann");
    bed.record("a\"b\\c]d\n\0\u{85}é\u{2028}\u{1f4a5}\u{1b}[2J");
    bed.start(&tcp(server.address)).sent(2).await;
    let [bytes] = &server.connections()[..] else { panic!("one connection") };
    let lines = bed.lines();
    let hash = |line: &str| line.split("\"hash\":\"").nth(1).unwrap()[..64].to_owned();
    let head = "<108>1 2026-11-25T10:00:00.007Z node-1 lockgate - refused [lockgate@32473";
    let plain = format!(
        "{head} seq=\"1\" hash=\"{}\" subject=\"ann\" connection=\"payroll\"] {}",
        hash(&lines[0]),
        lines[0]
    );
    let escaped = format!(
        "{head} seq=\"2\" hash=\"{}\" subject=\"a\\\"b\\\\c\\]d\u{fffd}\u{fffd}\u{fffd}é\u{2028}\u{1f4a5}\u{fffd}[2J\" \
         connection=\"payroll\"] {}",
        hash(&lines[1]),
        lines[1]
            .replace('\u{85}', "\\u0085")
            .replace('é', "\\u00e9")
            .replace('\u{2028}', "\\u2028")
            .replace('\u{1f4a5}', "\\ud83d\\udca5")
    );
    let expected = format!("{} {plain}{} {escaped}", plain.len(), escaped.len());
    assert_eq!(String::from_utf8_lossy(bytes), expected);
    same_json(&texts(&server.messages())[1], &lines[1]);
}

#[tokio::test]
async fn a_receiver_that_dies_in_the_middle_gets_everything_again() {
    let bed = Bed::new();
    for number in 0..1_200 {
        bed.record(&format!("first {number}"));
    }
    // The second connection dies in the middle of its batch, with data that it did not read.
    let server = Syslogd::with(([127, 0, 0, 1], 0).into(), None, |nth| match nth {
        1 => 20_000,
        _ => usize::MAX,
    })
    .await;
    let address = server.address;
    let mut running = bed.start(&tcp(address));
    running.sent(1_200).await;
    let mut got = texts(&server.messages());
    assert_at_least_once(&numbers(&got), 1_200, 1);
    assert!(got.len() > 1_200, "the batch came again");
    // The server is down for a while, and the records go on.
    drop(server);
    for number in 0..300 {
        bed.record(&format!("second {number}"));
    }
    running.reached(|state| state.failing.is_some()).await;
    let server = Syslogd::start(address).await;
    running.sent(1_500).await;
    got.extend(texts(&server.messages()));
    assert_at_least_once(&numbers(&got), 1_500, 2);
    // The gateway restarts.
    drop(running);
    let last = bed.record("third");
    bed.start(&tcp(address)).sent(last).await;
    let all = texts(&server.messages());
    assert_eq!(numbers(&all).last(), Some(&last));
    got.extend(all.last().cloned());
    assert_at_least_once(&numbers(&got), last, 2);
    for (line, number) in bed.lines().iter().zip(1..) {
        let came = got.iter().find(|text| text.starts_with(&format!("{{\"seq\":{number},")));
        assert_eq!(came, Some(line));
    }
}

#[tokio::test]
async fn a_receiver_that_hangs_up_at_once_has_accepted_nothing() {
    let bed = Bed::new();
    bed.record("one");
    let server = Syslogd::with(([127, 0, 0, 1], 0).into(), None, |_| 0).await;
    let mut running = bed.start(&tcp(server.address));
    timeout(Duration::from_secs(10), async {
        while server.connections().len() < 5 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap();
    let state = running.reached(|state| state.failing.is_some()).await;
    assert_eq!((state.sent_seq, state.stopped), (0, false));
}

#[tokio::test]
async fn tls_is_spoken_only_with_a_server_that_is_trusted() {
    let named = |name: &str| rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let (right, other) = (named("localhost"), named("localhost"));
    let server = Syslogd::tls(&right).await;
    let bed = Bed::new();
    let last = bed.record("ann");
    let mut ca = tempfile::NamedTempFile::new().unwrap();
    ca.write_all(other.cert.pem().as_bytes()).unwrap();
    let mut to = SyslogSettings::tcp(server.address);
    to.transport = Transport::Tls;
    to.ca = Some(ca.path().to_owned());
    to.address = format!("localhost:{}", server.address.port());
    let settings = sink(Receiver::Syslog(to), Payload::Records);
    let state = bed.start(&settings).reached(|state| state.failing.is_some()).await;
    assert!(state.failing.unwrap().contains("certificate"), "names the cause");
    assert_eq!(server.messages(), Vec::<String>::new());
    std::fs::write(ca.path(), right.cert.pem()).unwrap();
    bed.start(&settings).sent(last).await;
    assert_eq!(texts(&server.messages()), bed.lines());
}

#[tokio::test]
async fn datagrams_hold_one_message_each() {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let bed = Bed::new();
    bed.record("ann");
    let last = bed.record(&"x".repeat(70_000));
    let mut to = SyslogSettings::tcp(socket.local_addr().unwrap());
    to.transport = Transport::Udp;
    bed.start(&sink(Receiver::Syslog(to), Payload::Records)).sent(last).await;
    let mut buffer = vec![0; 70_000];
    let length = socket.recv(&mut buffer).await.unwrap();
    let message = String::from_utf8(buffer[..length].to_vec()).unwrap();
    assert!(message.starts_with("<108>1 2026-11-25T10:00:00.007Z node-1 lockgate - refused ["));
    assert_eq!(texts(&[message]), &bed.lines()[..1]);
    let length = socket.recv(&mut buffer).await.unwrap();
    let message = String::from_utf8(buffer[..length].to_vec()).unwrap();
    assert!(message.contains("seq=\"2\"") && message.contains("{\"left_out_bytes\":"), "{message}");
}
