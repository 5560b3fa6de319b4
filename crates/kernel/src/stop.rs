//! The signal that asks tasks to end.

use tokio_util::sync::CancellationToken;

/// A shutdown signal. Clones share it: once triggered it stays so.
#[derive(Debug, Clone, Default)]
pub struct Stop(CancellationToken);

impl Stop {
    /// A signal that is not triggered yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks everyone who holds a clone to end.
    pub fn trigger(&self) {
        self.0.cancel();
    }

    /// Whether the signal was given.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Resolves when the signal is given, at once when it already was.
    pub async fn stopped(&self) {
        self.0.cancelled().await;
    }

    /// A signal that this one triggers too, but that may be triggered alone.
    #[must_use]
    pub fn child(&self) -> Self {
        Self(self.0.child_token())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_parent_stops_its_children_and_not_the_other_way() {
        let parent = Stop::new();
        let (first, second) = (parent.child(), parent.clone());
        first.trigger();
        assert!(first.is_stopped() && !parent.is_stopped());
        parent.trigger();
        second.stopped().await;
        assert!(parent.child().is_stopped());
    }
}
