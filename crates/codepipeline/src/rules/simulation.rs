//! Pipelines whose every step may be interrupted: random definitions, several executions at once, people who start, stop, retry,
//! approve, close and edit, workers that die between a decision and its commit, and wake-ups that are lost, late or doubled. The
//! rules are driven over documents as `run` drives them; `laws` holds what must be true after each commit.

mod laws;
mod people;
mod pipelines;
mod store;
mod world;

use proptest::prelude::*;

use people::Wish;
use pipelines::{Shape, mode, shape};
use world::{Happening, Outcome, World};

fn wish() -> impl Strategy<Value = Wish> {
    let one = any::<usize>;
    prop_oneof![
        6 => Just(Wish::Start),
        2 => (one(), any::<bool>()).prop_map(|(execution, abandon)| Wish::Stop { execution, abandon }),
        4 => (one(), one(), any::<bool>()).prop_map(|(execution, stage, all)| Wish::Retry { execution, stage, all }),
        2 => (one(), one()).prop_map(|(stage, target)| Wish::RollBack { stage, target }),
        3 => (one(), any::<bool>()).prop_map(|(stage, closed)| Wish::Gate { stage, closed }),
        3 => (one(), any::<bool>()).prop_map(|(approval, well)| Wish::Answer { approval, well }),
        1 => shape().prop_map(Wish::Update),
        2 => mode().prop_map(Wish::Switch),
    ]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![8 => Just(Outcome::Well), 2 => Just(Outcome::Badly), 1 => Just(Outcome::Lost)]
}

fn happening() -> impl Strategy<Value = Happening> {
    let one = any::<usize>;
    prop_oneof![
        5 => wish().prop_map(Happening::Wish),
        8 => one().prop_map(|which| Happening::Commit { which }),
        8 => one().prop_map(|which| Happening::Work { which }),
        4 => (one(), outcome()).prop_map(|(which, outcome)| Happening::JobEnds { which, outcome }),
        4 => one().prop_map(|which| Happening::WakeUp { which }),
        1 => one().prop_map(|which| Happening::LoseWakeUp { which }),
        1 => one().prop_map(|which| Happening::DoubleWakeUp { which }),
        1 => Just(Happening::SafetyNet),
        1 => Just(Happening::Crash),
        1 => one().prop_map(|which| Happening::Forget { which }),
        6 => (one(), outcome()).prop_map(|(which, outcome)| Happening::Smoothly { which, outcome }),
    ]
}

fn course(most: usize) -> impl Strategy<Value = (Shape, Vec<Happening>)> {
    (shape(), prop::collection::vec(happening(), 0..most))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 4))]

    #[test]
    fn nothing_is_lost_doubled_or_stuck((shape, happenings) in course(200)) {
        let mut world = World::new(&shape);
        for happening in happenings {
            world.happen(happening);
        }
        world.carry_to_the_end();
        world.check_the_end();
    }

    #[test]
    fn a_deleted_pipeline_leaves_nothing_running((shape, happenings) in course(80)) {
        let mut world = World::new(&shape);
        for happening in happenings {
            world.happen(happening);
        }
        world.delete();
        world.check_the_end();
    }
}
