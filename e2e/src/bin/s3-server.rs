//! A real S3 server over a folder, on loopback: `s3-server FOLDER PORT` (0 for a free one) prints its
//! URL. Whoever signs with `key` and `secret` is let in.

use std::io::Write as _;

use anyhow::Context as _;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use s3s_fs::FileSystem;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: s3-server FOLDER PORT";
    let folder = arguments.next().context(usage)?;
    let port: u16 = arguments.next().context(usage)?.parse().context(usage)?;
    let files = FileSystem::new(folder).map_err(|error| anyhow::anyhow!("{error:?}"))?;
    let mut builder = S3ServiceBuilder::new(files);
    builder.set_auth(SimpleAuth::from_single("key", "secret"));
    let service = builder.build();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    writeln!(std::io::stdout(), "http://{}", listener.local_addr()?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let connection =
            http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone());
        tokio::spawn(async move {
            // A client that leaves is no fault of the server.
            let _ = connection.await;
        });
    }
}
