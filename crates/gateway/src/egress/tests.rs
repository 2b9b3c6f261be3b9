//! Rows S1 to S10 and S13 against a listener that must see nobody.

mod certificates;

use std::{
    net::{IpAddr, SocketAddr},
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use lockgate_model::Reason;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{
    Client, EgressFault, EgressRules, check_url, client,
    connector::{Connector, Names},
};

/// A server on loopback that answers every request with `answer` and counts who connects.
struct Sinkhole {
    address: SocketAddr,
    connects: Arc<AtomicUsize>,
}

impl Sinkhole {
    async fn open(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connects = Arc::new(AtomicUsize::new(0));
        let counter = connects.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    let mut head = [0; 4096];
                    while stream.read(&mut head).await.is_ok_and(|read| read > 0) {
                        stream.write_all(answer.as_bytes()).await.unwrap();
                    }
                });
            }
        });
        Self { address, connects }
    }

    fn connects(&self) -> usize {
        self.connects.load(Ordering::SeqCst)
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn rules(allow_private: bool) -> EgressRules {
    EgressRules { allow_private, ca: None, connect_wait_max: Duration::from_secs(2) }
}

fn naming(rules: EgressRules, answers: &[&[&str]]) -> Client {
    let lists = answers.iter().map(|list| list.iter().map(|a| a.parse().unwrap()).collect());
    let names = Names::Answers(Arc::new(Mutex::new(lists.collect::<Vec<Vec<IpAddr>>>())));
    Client::over(Connector::new(rules.clone()).named(names), &rules).unwrap()
}

fn get(url: &str) -> Request<Full<Bytes>> {
    Request::get(url).body(Full::default()).unwrap()
}

#[test]
fn rows_s1_to_s4_s8_and_s10_urls_that_are_refused_unresolved() {
    let rows = [
        ("S1", "https://127.0.0.1/"),
        ("S1", "https://127.1/"),
        ("S1", "https://2130706433/"),
        ("S1", "https://0x7f.1/"),
        ("S1", "https://0177.0.0.1/"),
        ("S1", "https://0/"),
        ("S1", "https://[::]/"),
        ("S1", "https://[::1]/"),
        ("S1", "https://[::ffff:127.0.0.1]/"),
        ("S1", "https://[::127.0.0.1]/"),
        ("S2", "https://10.0.0.1/"),
        ("S2", "https://192.168.0.1:8443/x"),
        ("S3", "https://169.254.169.254/latest/meta-data"),
        ("S3", "https://[fd00:ec2::254]/"),
        ("S4", "https://[64:ff9b::a00:1]/"),
        ("S4", "https://[fe80::1]/"),
        ("S8", "https://good@bad.example/"),
        ("S8", "https://good:x@bad.example/"),
        ("S8", "https://@bad.example/"),
        ("S8", "https://good.example#@bad.example/"),
        ("S8", "https://good.example\\@bad.example/"),
        ("S8", "https:\\\\bad.example/"),
        ("S8", "https://bad\t.example/"),
        ("S8", "https://bad.example/\n"),
        ("S8", " https://bad.example/"),
        ("S8", "https://127\u{3002}0\u{3002}0\u{3002}1/"),
        ("S8", "https://b\u{fc}cher.example/"),
        ("S8", "https://bad.example./"),
        ("S8", "https://%62ad.example/"),
        ("S8", "https://bad.example:22/"),
        ("S8", "https://bad.example:0/"),
        ("S8", "https:bad.example/"),
        ("S8", "https:///bad.example/"),
        ("S10", "http://good.example/"),
        ("S10", "file:///etc/passwd"),
        ("S10", "data:text/plain,x"),
        ("S10", "ftp://good.example/"),
        ("S10", "ws://good.example/"),
        ("S10", "wss://good.example/"),
        ("S10", "unix:/run/docker.sock"),
        ("S10", "gopher://good.example/"),
        ("S10", "javascript:alert(1)"),
        ("S10", "//good.example/"),
        ("S10", "good.example"),
        ("S10", ""),
    ];
    for (row, url) in rows {
        assert!(check_url(url, &rules(false)).is_err(), "{row} {url}");
    }
    // Allowing private addresses opens neither the metadata range nor other forms.
    for (row, url) in rows {
        let private =
            matches!(url, "https://127.0.0.1/" | "https://[::1]/" | "http://good.example/")
                || row == "S2";
        assert_eq!(check_url(url, &rules(true)).is_ok(), private, "{row} {url}");
    }
    for url in [
        "https://good.example",
        "https://good.example:443/a?b=c",
        "https://GOOD.example:8443/",
        "https://xn--bcher-kva.example/",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]:8443/mcp",
    ] {
        check_url(url, &rules(false)).unwrap();
    }
}

#[tokio::test]
async fn faults_show_no_password() {
    let urls = ["http://u:hunter2@a.example/", "http://a.example/x?key=hunter2#hunter2"];
    for url in urls {
        let fault = check_url(url, &rules(false)).unwrap_err().to_string();
        assert!(fault.contains("a.example") && !fault.contains("hunter2"), "{fault}");
    }
    let request = get("http://a.example:22/x?key=hunter2");
    let fault = client(&rules(true)).unwrap().send(request).await.unwrap_err().to_string();
    assert!(fault.contains("a.example") && !fault.contains("hunter2"), "{fault}");
}

#[tokio::test]
async fn rows_s1_to_s6_s9_dialling_checks_every_address_itself() {
    let sinkhole = Sinkhole::open(OK).await;
    let port = sinkhole.address.port();
    let urls = [
        ("S1", "127.0.0.1"),
        ("S1", "127.1"),
        ("S1", "2130706433"),
        ("S1", "0x7f.1"),
        ("S1", "0177.0.0.1"),
        ("S1", "0"),
        ("S1", "0.0.0.0"),
        ("S1", "localhost"),
        ("S1", "localhost."),
        ("S1", "[::1]"),
        ("S1", "[::]"),
        ("S1", "[::ffff:127.0.0.1]"),
    ];
    let public_only = client(&rules(false)).unwrap();
    for (row, host) in urls {
        for scheme in ["http", "https"] {
            let refusal =
                public_only.send(get(&format!("{scheme}://{host}:{port}/"))).await.unwrap_err();
            let expected = [Reason::EgressDenied, Reason::UpstreamUnreachable];
            assert!(expected.contains(&refusal.reason), "{row} {host}: {refusal}");
        }
    }
    let named = [
        ("S3", &["169.254.169.254"][..]),
        ("S5", &["93.184.216.34", "127.0.0.1"][..]),
        ("S5", &["127.0.0.1", "93.184.216.34"][..]),
        ("S5", &["2606:4700::1111", "::1"][..]),
    ];
    for (row, answer) in named {
        let client = naming(rules(false), &[answer]);
        let refusal = client.send(get(&format!("https://a.example:{port}/"))).await.unwrap_err();
        assert_eq!(refusal.reason, Reason::EgressDenied, "{row} {answer:?}");
    }
    // Without TLS even an allowed gateway goes to private addresses alone.
    let client = naming(rules(true), &[&["93.184.216.34"]]);
    let refusal = client.send(get("http://a.example/")).await.unwrap_err();
    assert_eq!(refusal.reason, Reason::EgressDenied);
    assert_eq!(sinkhole.connects(), 0);
}

#[tokio::test]
async fn row_s6_the_checked_address_is_the_one_dialled() {
    let sinkhole = Sinkhole::open(OK).await;
    let port = sinkhole.address.port();
    // 192.168.255.255 stands for the outside: whatever becomes of the connection, the second
    // answer, which points inside, is never asked for.
    let names = Arc::new(Mutex::new(vec![
        vec!["192.168.255.255".parse().unwrap()],
        vec!["127.0.0.1".parse().unwrap()],
    ]));
    let mut rules = rules(true);
    rules.connect_wait_max = Duration::from_millis(100);
    let connector = Connector::new(rules.clone()).named(Names::Answers(names.clone()));
    let client = Client::over(connector, &rules).unwrap();
    client.send(get(&format!("http://a.example:{port}/"))).await.unwrap_err();
    assert_eq!(names.lock().unwrap().len(), 1);
    assert_eq!(sinkhole.connects(), 0);
    // The twin: the next request asks again, and is served.
    let answer = client.send(get(&format!("http://a.example:{port}/"))).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
}

/// Where a cloud tells a machine who it is, only one client dials, and by the address alone.
#[tokio::test]
async fn only_one_client_asks_a_machine_who_it_is() {
    let metadata = Connector::to_metadata(rules(false));
    let refused = |fault| matches!(fault, Err(EgressFault::Address(_) | EgressFault::Url { .. }));
    for address in ["169.254.169.254", "169.254.170.2", "169.254.170.23", "[fd00:ec2::254]"] {
        let url: Uri = format!("http://{address}/latest/meta-data/").parse().unwrap();
        assert_eq!(metadata.checked(&url).await.unwrap().len(), 1, "{url}");
        assert!(refused(Connector::new(rules(true)).checked(&url).await), "{url}");
        // By a name that leads there.
        let bare = address.trim_matches(['[', ']']).parse().unwrap();
        let names = Names::Answers(Arc::new(Mutex::new(vec![vec![bare]])));
        let named = Uri::from_static("http://a.example/latest/meta-data/");
        assert!(refused(metadata.clone().named(names).checked(&named).await), "{url}");
    }
    for url in ["http://169.254.169.253/", "http://127.0.0.1:9/", "http://10.0.0.1/"] {
        assert!(refused(metadata.checked(&Uri::from_static(url)).await), "{url}");
    }
}

#[tokio::test]
async fn row_s7_a_redirect_is_handed_back() {
    let inside = Sinkhole::open(OK).await;
    let location = format!("http://{}/", inside.address);
    for target in [location.as_str(), "file:///etc/passwd", "gopher://127.0.0.1/"] {
        let head = format!("HTTP/1.1 307 T\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n");
        let outside = Sinkhole::open(head.leak()).await;
        let client = client(&rules(true)).unwrap();
        let answer = client.send(get(&format!("http://{}/", outside.address))).await.unwrap();
        assert_eq!(answer.status(), StatusCode::TEMPORARY_REDIRECT);
    }
    assert_eq!(inside.connects(), 0);
}

#[tokio::test]
async fn connections_are_kept_and_used_again() {
    let server = Sinkhole::open(OK).await;
    let client = client(&rules(true)).unwrap();
    for _ in 0..5 {
        let answer = client.send(get(&format!("http://{}/", server.address))).await.unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "ok");
    }
    assert_eq!(server.connects(), 1);
}

#[tokio::test]
async fn tls_with_a_server_that_never_speaks_ends_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut rules = rules(true);
    rules.connect_wait_max = Duration::from_millis(50);
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let refusal = client(&rules).unwrap().send(get(&url)).await.unwrap_err();
    assert_eq!(refusal.reason, Reason::UpstreamTimeout, "{refusal}");
}

#[test]
fn a_file_without_certificates_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for ca in [file.path(), "/nonexistent".as_ref()] {
        let rules = EgressRules { ca: Some(ca.to_owned()), ..rules(false) };
        assert!(matches!(client(&rules), Err(EgressFault::Authorities(_))), "{}", ca.display());
    }
}

/// Runs this test binary again with the proxy variables set; the inner run dials `SERVER`.
#[tokio::test]
async fn row_s13_proxy_variables_are_ignored() {
    let (proxy, server) = (Sinkhole::open(OK).await, Sinkhole::open(OK).await);
    let mut inner = Command::new(std::env::current_exe().unwrap());
    inner.args(["--exact", "egress::tests::dial_the_given_server", "--ignored"]);
    inner.env("LOCKGATE_TEST_SERVER", server.address.to_string());
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy"] {
        inner.env(name, format!("http://{}", proxy.address));
    }
    let output = tokio::task::spawn_blocking(move || inner.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!((proxy.connects(), server.connects()), (0, 1));
}

#[tokio::test]
#[ignore = "the inner half of the proxy row"]
async fn dial_the_given_server() {
    let server = std::env::var("LOCKGATE_TEST_SERVER").unwrap();
    let client = client(&rules(true)).unwrap();
    client.send(get(&format!("http://{server}/"))).await.unwrap();
}
