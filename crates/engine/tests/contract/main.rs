//! The contract of `Engine`, written once and run over every engine; and what only the sandbox or only a daemon promises.
//!
//! The sandbox's tests need root and runc; those of Docker and Podman are run by `scripts/with-daemons cargo test -p engine`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod bench;
mod cargo_build;
mod daemons;
mod deaths;
mod exec;
mod hostile;
mod isolation;
mod life;
mod limits;
mod privileged;
mod restart;
mod rootless;
mod speed;

use daemons::{images, inside, losses, network};

/// One test for each daemon out of each function `async fn(Bench)`.
macro_rules! over_daemons {
    ($($engine:ident $variable:literal)+; $tests:tt) => {
        $(over_daemons! { @ $engine $variable $tests })+
    };
    (@ $engine:ident $variable:literal { $($module:ident: $($name:ident),+;)+ }) => {
        mod $engine {
            $($(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    let Some(bench) = crate::bench::Bench::daemon($variable).await else { return };
                    crate::$module::$name(bench).await
                }
            )+)+
        }
    };
}

/// One test for each engine out of each function `async fn(Bench)`.
macro_rules! contract {
    ($($module:ident: $($name:ident),+;)+) => {
        mod sandbox {
            $($(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() { crate::$module::$name(crate::bench::Bench::sandbox().await).await }
            )+)+
        }
        mod dummy {
            $($(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() { crate::$module::$name(crate::bench::Bench::dummy().await).await }
            )+)+
        }
        over_daemons! {
            docker "LANDFALL_TEST_DOCKER" podman "LANDFALL_TEST_PODMAN";
            { $($module: $($name),+;)+ }
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

over_daemons! {
    beyond_docker "LANDFALL_TEST_DOCKER" beyond_podman "LANDFALL_TEST_PODMAN";
    {
        images: an_image_is_known_by_its_id, an_image_that_was_not_prepared_is_refused,
            a_registry_that_does_not_answer_is_told_in_its_words, pulls_with_a_users_password, what_is_not_to_be_pulled_is_not,
            image_host_is_the_sandboxs;
        inside: output_is_whole_and_in_order, root_inside_has_few_powers, mounts_are_seen_and_kept_read_only,
            want_of_memory_is_told, processes_are_limited, processor_time_is_limited,
            a_program_that_is_not_there_is_an_error_and_leaves_nothing, a_dropped_command_is_killed,
            a_privileged_one_has_what_a_daemon_needs, a_privileged_one_runs_a_daemon_of_its_own,
            who_writes_too_much_is_ended;
        losses: a_container_that_the_daemon_lost_has_vanished, an_end_stays_known_when_the_daemon_forgets_it,
            containers_of_others_are_left_alone, what_an_interrupted_removal_left_is_removed_at_the_next_start,
            what_an_interrupted_start_left_is_started_anew, waiting_rides_over_a_daemon_that_is_away;
        network: loopback_only_is_what_it_says, the_way_out_leads_to_the_world_and_not_into_the_machine,
            a_clouds_own_credentials_cannot_be_asked_for, containers_do_not_reach_each_other;
    }
}
