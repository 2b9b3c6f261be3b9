//! Certificates are checked: who signed, for which name, until when.

use std::{io::Write as _, net::SocketAddr, sync::Arc};

use lockgate_model::Reason;
use lockgate_vault::Secret;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::PrivateKeyDer,
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use tempfile::NamedTempFile;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use super::{EgressRules, OK, client, get, rules};
use crate::{
    clock,
    egress::{Identity, IdentityFault, client_as},
};

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn trusting(authorities: &[&CertifiedIssuer<'static, KeyPair>]) -> (NamedTempFile, EgressRules) {
    let mut file = NamedTempFile::new().unwrap();
    for authority in authorities {
        file.write_all(authority.pem().as_bytes()).unwrap();
    }
    let rules = EgressRules { ca: Some(file.path().to_owned()), ..rules(true) };
    (file, rules)
}

/// A server on loopback with a certificate for `name`, valid until the end of `year`.
async fn serve(by: &CertifiedIssuer<'static, KeyPair>, name: &str, year: i32) -> SocketAddr {
    serve_to(by, name, year, WebPkiClientVerifier::no_client_auth()).await
}

/// The same, to clients that pass the verifier.
async fn serve_to(
    by: &CertifiedIssuer<'static, KeyPair>,
    name: &str,
    year: i32,
    clients: Arc<dyn ClientCertVerifier>,
) -> SocketAddr {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.not_after = date_time_ymd(year, 12, 31);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, by).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        );
    let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(OK.as_bytes()).await;
        }
    });
    address
}

#[tokio::test]
async fn only_certificates_of_the_given_authorities_pass() {
    let (ours, other) = (authority(), authority());
    let (_file, rules) = trusting(&[&ours, &authority()]);
    let client = client(&rules).unwrap();
    for (what, by, name, year, passes) in [
        ("good", &ours, "127.0.0.1", 2999, true),
        ("other authority", &other, "127.0.0.1", 2999, false),
        ("other name", &ours, "elsewhere.example", 2999, false),
        ("expired", &ours, "127.0.0.1", 2020, false),
    ] {
        let address = serve(by, name, year).await;
        let answer = client.send(get(&format!("https://{address}/"))).await;
        match answer {
            Ok(answer) => assert!(passes && answer.status() == 200, "{what}"),
            Err(refusal) => {
                assert!(!passes, "{what}: {refusal}");
                assert_eq!(refusal.reason, Reason::UpstreamUnreachable, "{what}: {refusal}");
                assert!(refusal.detail.contains("certificate"), "{what}: {refusal}");
            }
        }
    }
}

#[tokio::test]
async fn the_systems_authorities_do_not_vouch_for_strangers() {
    let address = serve(&authority(), "127.0.0.1", 2999).await;
    let client = client(&rules(true)).unwrap();
    let refusal = client.send(get(&format!("https://{address}/"))).await.unwrap_err();
    assert_eq!(refusal.reason, Reason::UpstreamUnreachable);
}

/// A client's certificate until the end of `year`, and its key, in PEM.
fn of_client(by: &CertifiedIssuer<'static, KeyPair>, year: i32) -> [Secret; 2] {
    let mut params = CertificateParams::new(["lockgate".to_owned()]).unwrap();
    params.not_after = date_time_ymd(year, 12, 31);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, by).unwrap();
    [certificate.pem(), key.serialize_pem()].map(|pem| Secret::of_text(pem).unwrap())
}

#[tokio::test]
async fn a_server_that_asks_for_a_certificate_gets_ours() {
    let (ours, other) = (authority(), authority());
    let (_file, rules) = trusting(&[&ours]);
    let mut roots = RootCertStore::empty();
    roots.add(ours.der().clone()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let asks = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let address = serve_to(&ours, "127.0.0.1", 2999, asks.build().unwrap()).await;
    let url = format!("https://{address}/");
    for (what, by, passes) in [("ours", &ours, true), ("another's", &other, false)] {
        let [certificate, key] = of_client(by, 2999);
        let identity = Identity::read(&certificate, &key).unwrap();
        let answer = client_as(&rules, &identity).unwrap().send(get(&url)).await;
        assert_eq!(answer.is_ok_and(|answer| answer.status() == 200), passes, "{what}");
    }
    client(&rules).unwrap().send(get(&url)).await.unwrap_err();
}

#[test]
fn certificates_that_can_not_be_shown_are_told_by_name() {
    let ours = authority();
    let ([certificate, key], [old, old_key]) = (of_client(&ours, 2999), of_client(&ours, 2020));
    let text = Secret::of_text("hunter2".to_owned()).unwrap();
    let fault = |certificate, key| Identity::read(certificate, key).err();
    assert_eq!(fault(&certificate, &old_key), Some(IdentityFault::Mismatch));
    assert_eq!(fault(&text, &key), Some(IdentityFault::Certificate));
    assert_eq!(fault(&certificate, &text), Some(IdentityFault::Key));
    assert!(Identity::read(&certificate, &key).unwrap().is_valid(clock::now()));
    assert!(!Identity::read(&old, &old_key).unwrap().is_valid(clock::now()));
}
