//! S3 alone, on loopback and for anybody: to try a client by hand. The real listener is `landfall serve`.
//!
//! `cargo run -p s3 --example serve_s3 -- DIR [PORT]`, then any credentials with the URL that it prints.
#![expect(clippy::print_stdout, reason = "the URL is the output")]

use http::Request;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use kernel::{Blobs, Caller, Scope, Stop, Store, SystemClock, SystemIds};
use std::convert::Infallible;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let dir = PathBuf::from(arguments.next().ok_or("usage: serve_s3 DIR [PORT]")?);
    let port = arguments.next().map_or(Ok(0), |port| port.parse())?;
    let clock = Arc::new(SystemClock);
    let store = Store::open(&dir, Arc::clone(&clock) as _)?;
    let blobs = Blobs::open(&dir, "s3")?;
    let dependencies = s3::Dependencies { documents: store.service("s3"), blobs, clock, ids: Arc::new(SystemIds) };
    let service = s3::Service::new(dependencies);
    tokio::spawn(Arc::clone(&service).run(Stop::new()));
    let wire = s3::Wire::new(service).trusting();
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        let wire = wire.clone();
        tokio::spawn(async move {
            let answer = service_fn(move |mut request: Request<hyper::body::Incoming>| {
                let wire = wire.clone();
                let scope = Scope::new("000000000000", "us-east-1");
                request.extensions_mut().insert(Caller::root(&scope, "example"));
                async move { Ok::<_, Infallible>(wire.serve(request).await) }
            });
            if let Err(error) = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), answer).await
            {
                eprintln!("connection: {error}");
            }
        });
    }
}
