//! A connection to a registry that breaks at any byte: a pull goes on or says why not, and the next one has the whole image.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use images::ImageError;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::Place;
use crate::content::{Compression, image};
use crate::fake::{Door, Fake};
use crate::testing::TarMaker;

/// How many bytes apart the breaks are; `LANDFALL_FAIL_EVERY=1` breaks at each.
const STRIDE: usize = 67;

/// What stands between client and registry.
#[derive(Default)]
struct Line {
    /// Bytes of answers that still pass before one connection breaks.
    left: AtomicUsize,
    broken: AtomicUsize,
}

impl Line {
    fn arm(&self, bytes: usize) {
        self.broken.store(0, Ordering::SeqCst);
        self.left.store(bytes, Ordering::SeqCst);
    }

    /// How many of so many bytes pass; fewer when the connection breaks here.
    fn pass(&self, bytes: usize) -> usize {
        let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| Some(left.saturating_sub(bytes)));
        let left = left.unwrap_or(0);
        if left >= bytes || self.broken.load(Ordering::SeqCst) > 0 { bytes } else { left }
    }

    async fn carry(&self, client: TcpStream, registry: SocketAddr) -> std::io::Result<()> {
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_registry, mut to_registry) = TcpStream::connect(registry).await?.into_split();
        let asking = tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_registry).await });
        let mut buffer = [0; 4_096];
        loop {
            let read = from_registry.read(&mut buffer).await?;
            let passing = self.pass(read);
            to_client.write_all(&buffer[..passing]).await?;
            if read == 0 || passing < read {
                self.broken.fetch_add(usize::from(passing < read), Ordering::SeqCst);
                asking.abort();
                return Ok(());
            }
        }
    }
}

/// Some dozen pulls: it takes seconds.
#[tokio::test]
async fn a_connection_that_breaks_at_any_byte_loses_nothing() {
    let (fake, line) = (Fake::start().await, Arc::new(Line::default()));
    let made = image(&[(TarMaker::default().file("file", &[7; 3_000]).finish(), Compression::None)]);
    fake.push("app", "1", &made);
    fake.close(Door::Bearer(None));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let reference = format!("{}/app:1", listener.local_addr().unwrap());
    let registry = fake.url().trim_start_matches("http://").parse().unwrap();
    let carried = Arc::clone(&line);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let line = Arc::clone(&carried);
            tokio::spawn(async move { line.carry(client, registry).await });
        }
    });
    let every = std::env::var("LANDFALL_FAIL_EVERY").ok().and_then(|every| every.parse().ok()).unwrap_or(STRIDE);
    println!("breaking every {every}th byte");
    for at in (0..).step_by(every) {
        let place = Place::new();
        line.arm(at);
        let pulled = place.pull(&reference).await;
        let broken = line.broken.load(Ordering::SeqCst);
        line.arm(usize::MAX);
        assert!(matches!(pulled, Ok(_) | Err(ImageError::Unreachable(_))), "{at}: {pulled:?}");
        let again = place.pull(&reference).await.unwrap();
        assert_eq!(place.layers(&again).len(), 1);
        assert_eq!(place.images.verify().unwrap(), [], "{at}");
        if broken == 0 {
            assert!(pulled.is_ok() && at > 3_000, "{at}");
            break;
        }
    }
}
