//! What containers of a Docker or Podman daemon promise beyond the contract, each over both.

mod images;
mod inside;
mod losses;
mod network;
mod proxy;

/// Two tests for each function `async fn(Bench)`: over Docker, and over Podman.
macro_rules! over_both {
    ($($(#[$meta:meta])* async fn $name:ident($bench:ident: Bench) $body:block)+) => {
        $(
            mod $name {
                #[allow(unused_imports, reason = "one list of names for all tests of a file")]
                use super::*;

                $(#[$meta])*
                async fn check($bench: crate::bench::Bench) $body

                #[tokio::test(flavor = "multi_thread")]
                async fn docker() {
                    let Some(bench) = crate::bench::Bench::daemon("LANDFALL_TEST_DOCKER").await else { return };
                    check(bench).await
                }

                #[tokio::test(flavor = "multi_thread")]
                async fn podman() {
                    let Some(bench) = crate::bench::Bench::daemon("LANDFALL_TEST_PODMAN").await else { return };
                    check(bench).await
                }
            }
        )+
    };
}
use over_both;
