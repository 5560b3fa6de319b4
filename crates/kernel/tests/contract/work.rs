//! The contract of `work`: due documents are claimed once, retried, fenced, and taken over after a restart.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::fixture::{Fixture, Task, scope, start, task};
use async_trait::async_trait;
use kernel::{Batch, CommitError, Documents, Lease, Reconciler, Scope, StepError, Stop, Stored, WorkOptions, work};
use tokio::sync::{Mutex, Semaphore, mpsc};

/// What a step of the test does with its task.
#[derive(Clone, Copy)]
enum Manner {
    /// Counts and is done with it.
    Finish,
    /// Fails as long as `done` is below this.
    FailUntil(u32),
    /// Says that all is well and does nothing.
    Idle,
    /// Panics on the first run.
    PanicOnce,
    /// Removes the task.
    Remove,
}

struct Worker {
    documents: Documents,
    manner: Manner,
    runs: AtomicUsize,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
    gate: Option<Semaphore>,
    seen: mpsc::UnboundedSender<(String, Lease)>,
}

#[async_trait]
impl Reconciler for Worker {
    type Document = Task;

    async fn step(&self, scope: &Scope, mut task: Stored<Task>, lease: &Lease) -> Result<(), StepError> {
        let run = self.runs.fetch_add(1, Ordering::SeqCst);
        let now = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(now, Ordering::SeqCst);
        self.seen.send((task.name.clone(), lease.clone()))?;
        if let Some(gate) = &self.gate {
            gate.acquire().await?.forget();
        }
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        match self.manner {
            Manner::Idle => return Ok(()),
            Manner::FailUntil(runs) if (run as u32) < runs => return Err("not yet".into()),
            Manner::PanicOnce if run == 0 => panic!("as the test wants"),
            Manner::Remove => return Ok(self.documents.commit(Batch::new(scope).remove(&task).fenced(lease)).await?),
            _ => {}
        }
        task.done += 1;
        task.due = None;
        self.documents.commit(Batch::new(scope).replace(&task).fenced(lease)).await?;
        Ok(())
    }
}

struct Running {
    worker: Arc<Worker>,
    seen: Mutex<mpsc::UnboundedReceiver<(String, Lease)>>,
    stop: Stop,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    fn start(f: &Fixture, manner: Manner, gated: bool, concurrency: usize) -> Self {
        let (seen, receiver) = mpsc::unbounded_channel();
        let worker = Arc::new(Worker {
            documents: f.documents.clone(),
            manner,
            runs: AtomicUsize::new(0),
            at_once: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
            gate: gated.then(|| Semaphore::new(0)),
            seen,
        });
        let stop = Stop::new();
        let options = WorkOptions::concurrent(concurrency);
        let clock = Arc::new(f.clock.clone());
        let task = tokio::spawn(work::run(f.documents.clone(), clock, stop.clone(), options, Arc::clone(&worker)));
        Self { worker, seen: Mutex::new(receiver), stop, task }
    }

    async fn next(&self) -> (String, Lease) {
        let next = async { self.seen.lock().await.recv().await.unwrap() };
        tokio::time::timeout(Duration::from_secs(10), next).await.expect("a step within ten seconds")
    }

    fn open_gate(&self, permits: usize) {
        self.worker.gate.as_ref().unwrap().add_permits(permits);
    }

    async fn end(self) {
        self.stop.trigger();
        self.task.await.unwrap();
    }
}

async fn until_done(f: &Fixture, name: &str, done: u32) -> Stored<Task> {
    let reached = async {
        loop {
            let task = f.documents.get::<Task>(&scope(), name).await.unwrap().unwrap();
            if task.done == done {
                return task;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), reached).await.expect("done within ten seconds")
}

fn due_now(name: &str) -> Task {
    Task { due: Some(start()), ..task(name) }
}

#[tokio::test]
async fn a_commit_that_makes_a_document_due_wakes_its_worker() {
    let f = Fixture::new();
    let running = Running::start(&f, Manner::Finish, false, 4);
    tokio::time::sleep(Duration::from_millis(20)).await;
    f.documents.insert(&scope(), due_now("a")).await.unwrap();
    assert_eq!(running.next().await.0, "a");
    until_done(&f, "a", 1).await;
    running.end().await;
}

#[tokio::test]
async fn a_later_due_time_is_waited_for() {
    let f = Fixture::new();
    let running = Running::start(&f, Manner::Finish, false, 4);
    let later = Task { due: Some(start() + Duration::from_secs(60)), ..task("later") };
    f.documents.insert(&scope(), later).await.unwrap();
    f.clock.advance(Duration::from_secs(59));
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(running.worker.runs.load(Ordering::SeqCst), 0);
    f.clock.advance(Duration::from_secs(1));
    until_done(&f, "later", 1).await;
    running.end().await;
}

#[tokio::test]
async fn no_document_is_stepped_twice_at_once_and_no_more_than_allowed() {
    let f = Fixture::new();
    for n in 0..20 {
        f.documents.insert(&scope(), due_now(&format!("t{n:02}"))).await.unwrap();
    }
    let running = Running::start(&f, Manner::Finish, true, 3);
    running.open_gate(20);
    for n in 0..20 {
        assert_eq!(until_done(&f, &format!("t{n:02}"), 1).await.done, 1);
    }
    assert!(running.worker.most_at_once.load(Ordering::SeqCst) <= 3);
    assert_eq!(running.worker.runs.load(Ordering::SeqCst), 20);
    running.end().await;
}

#[tokio::test]
async fn a_failed_step_is_run_again_after_its_back_off_only() {
    let f = Fixture::new();
    f.documents.insert(&scope(), due_now("a")).await.unwrap();
    let running = Running::start(&f, Manner::FailUntil(2), false, 4);
    running.next().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(running.worker.runs.load(Ordering::SeqCst), 1);
    f.clock.advance(Duration::from_millis(250));
    running.next().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    f.clock.advance(Duration::from_millis(450));
    running.next().await;
    until_done(&f, "a", 1).await;
    running.end().await;
}

#[tokio::test]
async fn a_write_by_somebody_else_ends_the_back_off() {
    let f = Fixture::new();
    f.documents.insert(&scope(), due_now("a")).await.unwrap();
    let running = Running::start(&f, Manner::FailUntil(1), false, 4);
    running.next().await;
    f.documents.update::<Task>(&scope(), "a", |task| task.rank = "urgent".to_owned()).await.unwrap();
    running.next().await;
    until_done(&f, "a", 1).await;
    running.end().await;
}

#[tokio::test]
async fn a_panic_is_a_failed_step_and_idling_does_not_spin() {
    let f = Fixture::new();
    f.documents.insert(&scope(), due_now("a")).await.unwrap();
    let running = Running::start(&f, Manner::PanicOnce, false, 4);
    running.next().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    f.clock.advance(Duration::from_secs(1));
    until_done(&f, "a", 1).await;
    running.end().await;

    f.documents.insert(&scope(), due_now("b")).await.unwrap();
    let idle = Running::start(&f, Manner::Idle, false, 4);
    idle.next().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(idle.worker.runs.load(Ordering::SeqCst), 1);
    idle.end().await;
}

#[tokio::test]
async fn a_change_during_the_step_makes_its_commit_fail_and_it_runs_again() {
    let f = Fixture::new();
    f.documents.insert(&scope(), due_now("a")).await.unwrap();
    let running = Running::start(&f, Manner::Finish, true, 4);
    running.next().await;
    f.documents.update::<Task>(&scope(), "a", |task| task.rank = "changed".to_owned()).await.unwrap();
    running.open_gate(2);
    running.next().await;
    assert_eq!(until_done(&f, "a", 1).await.rank, "changed");
    running.end().await;
}

#[tokio::test]
async fn a_lease_is_kept_while_its_step_runs_and_lost_with_it() {
    let f = Fixture::new();
    f.documents.insert(&scope(), due_now("a")).await.unwrap();
    let running = Running::start(&f, Manner::Finish, true, 4);
    let (_, lease) = running.next().await;
    for _ in 0..10 {
        f.clock.advance(Duration::from_secs(11));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(running.worker.runs.load(Ordering::SeqCst), 1, "the lease was renewed");
    running.open_gate(1);
    until_done(&f, "a", 1).await;
    running.end().await;
    let late = f.documents.commit(Batch::new(&scope()).insert(&task("late")).fenced(&lease)).await;
    assert!(matches!(late, Err(CommitError::LeaseLost { .. })));
}

#[tokio::test]
async fn a_leap_of_time_does_not_run_a_step_twice_at_once() {
    let f = Fixture::new();
    f.documents.insert(&scope(), due_now("slow")).await.unwrap();
    let running = Running::start(&f, Manner::Finish, true, 4);
    running.next().await;
    // A laptop wakes up: leases are over, and new work rings before any of them is renewed.
    f.clock.advance(Duration::from_secs(3_600));
    for name in ["b", "c", "d"] {
        f.documents.insert(&scope(), due_now(name)).await.unwrap();
        running.next().await;
    }
    assert_eq!(running.worker.runs.load(Ordering::SeqCst), 4);
    running.open_gate(4);
    for name in ["slow", "b", "c", "d"] {
        until_done(&f, name, 1).await;
    }
    assert_eq!(running.worker.runs.load(Ordering::SeqCst), 4);
    running.end().await;
}

#[tokio::test]
async fn a_fenced_commit_may_remove_the_leased_document() {
    let f = Fixture::new();
    f.documents.insert(&scope(), due_now("a")).await.unwrap();
    let running = Running::start(&f, Manner::Remove, false, 4);
    running.next().await;
    running.end().await;
    assert!(f.documents.get::<Task>(&scope(), "a").await.unwrap().is_none());
}

#[tokio::test]
async fn after_a_restart_the_dead_owners_leases_are_taken_at_once() {
    let f = Fixture::new();
    f.documents.insert(&scope(), due_now("a")).await.unwrap();
    let running = Running::start(&f, Manner::Finish, true, 4);
    let (_, first) = running.next().await;
    // Dies in the middle of the step, without giving the lease back.
    let Running { worker, task, .. } = running;
    task.abort();
    let _ = task.await;
    drop(worker);
    tokio::time::sleep(Duration::from_millis(50)).await;

    let f = f.restart();
    let running = Running::start(&f, Manner::Finish, false, 4);
    let (_, second) = running.next().await;
    assert!(second.epoch() > first.epoch());
    until_done(&f, "a", 1).await;
    running.end().await;
}
