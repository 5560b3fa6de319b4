//! The contract of `Engine`, written once and run over every engine; and what only the sandbox or only a daemon promises.
//!
//! The sandbox's tests need root and runc; those of Docker and Podman are run by `scripts/with-daemons cargo test -p engine`.
#![expect(clippy::unwrap_used, reason = "tests")]

mod bench;
mod cargo_build;
mod daemons;
mod deaths;
mod exec;
mod isolation;
mod life;
mod limits;
mod restart;
mod speed;

/// One test for each engine out of each function `async fn(Bench)`.
macro_rules! contract {
    ($($module:ident: $($name:ident),+;)+) => {
        mod sandbox {
            $($(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() { crate::$module::$name(crate::bench::Bench::sandbox().await).await }
            )+)+
        }
        mod docker {
            $($(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    let Some(bench) = crate::bench::Bench::daemon("LANDFALL_TEST_DOCKER").await else { return };
                    crate::$module::$name(bench).await
                }
            )+)+
        }
        mod podman {
            $($(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    let Some(bench) = crate::bench::Bench::daemon("LANDFALL_TEST_PODMAN").await else { return };
                    crate::$module::$name(bench).await
                }
            )+)+
        }
        mod dummy {
            $($(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() { crate::$module::$name(crate::bench::Bench::dummy().await).await }
            )+)+
        }
    };
}

contract! {
    life: streams_output_and_tells_the_exit_code, tells_the_signal, waits_again_and_in_parallel,
        passes_signals_on, kill_cannot_be_refused, second_start_finds_the_first, remove_is_idempotent_and_kills,
        output_from_any_byte, refuses_unknown_containers_and_images, runs_eight_at_once;
    exec: answers_output_and_exit_code, bounds_what_it_keeps, streams_and_kills_when_dropped,
        refuses_an_ended_container;
    restart: finds_running_and_ended_containers_by_label, wait_goes_on_over_a_restart;
}
