//! Bodies that are read whole, before it is known who sends them: so each is bounded, and so are all together.

use aws::Error;
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

/// None of AWS's JSON and query requests is larger.
const LARGEST: usize = 16 * 1024 * 1024;
/// And none takes longer to arrive.
const LONGEST: Duration = Duration::from_secs(60);
/// Bodies up to this size wait for nobody: strangers with large ones must not keep everybody out.
const SMALL: usize = 64 * 1024;
/// All larger bodies together have room for this many of the largest.
const LARGEST_AT_ONCE: usize = 16;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A body, and the room it takes up until it is dropped.
pub(super) struct Whole<'r> {
    pub(super) bytes: Bytes,
    _room: Option<SemaphorePermit<'r>>,
}

/// The room for large bodies.
pub(super) struct Room {
    /// In KiB.
    free: Semaphore,
    longest: Duration,
}

impl Room {
    pub(super) const fn new() -> Self {
        Self::with_patience(LONGEST)
    }

    const fn with_patience(longest: Duration) -> Self {
        Self { free: Semaphore::const_new(LARGEST_AT_ONCE * LARGEST / 1024), longest }
    }

    /// Reads a body to its end, once there is room for it.
    ///
    /// # Errors
    /// Too large, too late, or broken off.
    pub(super) async fn read<B>(&self, body: B) -> Result<Whole<'_>, Error>
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let reading = async {
            let room = self.take(&body).await?;
            let bytes = Limited::new(body, LARGEST).collect().await.map_err(refusal)?.to_bytes();
            Ok(Whole { bytes, _room: room })
        };
        let late =
            || Error::modelled("RequestTimeoutException", 408, "The body of the request took too long to arrive.");
        tokio::time::timeout(self.longest, reading).await.map_err(|_| late())?
    }

    /// As much as the body says that it needs, or else could.
    async fn take(&self, body: &impl http_body::Body) -> Result<Option<SemaphorePermit<'_>>, Error> {
        let most = body.size_hint().upper().and_then(|most| usize::try_from(most).ok()).unwrap_or(LARGEST).min(LARGEST);
        if most <= SMALL {
            return Ok(None);
        }
        let kibibytes = u32::try_from(most.div_ceil(1024)).map_err(Error::internal)?;
        Ok(Some(self.free.acquire_many(kibibytes).await.map_err(Error::internal)?))
    }
}

fn refusal(error: BoxError) -> Error {
    if error.is::<LengthLimitError>() {
        let text = format!("The body of the request is larger than {LARGEST} bytes.");
        return Error::modelled("RequestEntityTooLargeException", 413, text);
    }
    Error::new("IncompleteBody", format!("The body of the request could not be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::stream;
    use http_body::Frame;
    use http_body_util::{Full, StreamBody};
    use std::convert::Infallible;

    fn full(size: usize) -> Full<Bytes> {
        Full::new(vec![b' '; size].into())
    }

    async fn code<B>(room: &Room, body: B) -> String
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        room.read(body).await.map_or_else(|error| error.code, |whole| whole.bytes.len().to_string())
    }

    #[tokio::test]
    async fn each_body_is_bounded() {
        let room = Room::new();
        assert_eq!(code(&room, full(0)).await, "0");
        assert_eq!(code(&room, full(LARGEST)).await, LARGEST.to_string());
        assert_eq!(code(&room, full(LARGEST + 1)).await, "RequestEntityTooLargeException");
        let broken = stream::iter([Err::<Frame<Bytes>, _>(std::io::Error::other("reset"))]);
        assert_eq!(code(&room, StreamBody::new(broken)).await, "IncompleteBody");
    }

    fn silent() -> StreamBody<stream::Pending<Result<Frame<Bytes>, Infallible>>> {
        StreamBody::new(stream::pending())
    }

    #[tokio::test]
    async fn a_body_that_does_not_come_is_not_awaited_for_ever() {
        let room = Room::with_patience(Duration::from_millis(1));
        assert_eq!(code(&room, silent()).await, "RequestTimeoutException");
    }

    #[tokio::test]
    async fn all_together_are_bounded_and_small_ones_pass() {
        let room = Room::new();
        let mut strangers = Box::pin(futures::future::join_all((0..LARGEST_AT_ONCE).map(|_| code(&room, silent()))));
        assert!(futures::poll!(&mut strangers).is_pending());
        assert_eq!(room.free.available_permits(), 0);
        assert_eq!(code(&room, full(SMALL)).await, SMALL.to_string());
        let mut large = Box::pin(code(&room, full(SMALL + 1)));
        assert!(futures::poll!(&mut large).is_pending());
        drop(strangers);
        assert_eq!(large.await, (SMALL + 1).to_string());
    }
}
