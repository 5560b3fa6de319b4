//! Identifiers, injected, so that tests see the same ones each time.

use std::sync::atomic::{AtomicU64, Ordering};

use rand::Rng;
use uuid::Uuid;

/// The only source of identifiers and random names in services.
pub trait Ids: Send + Sync {
    /// A random UUID (version 4), lower case with dashes.
    fn uuid(&self) -> String;

    /// `len` characters drawn evenly from `alphabet`, unguessable. `alphabet` must not be empty.
    fn token(&self, alphabet: &str, len: usize) -> String;

    /// A UUID (version 7) whose text sorts by the time it was made, also within one millisecond.
    fn time_ordered(&self) -> String;
}

/// Real ids from the machine's random source.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemIds;

impl Ids for SystemIds {
    fn uuid(&self) -> String {
        Uuid::new_v4().to_string()
    }

    fn token(&self, alphabet: &str, len: usize) -> String {
        let mut random = rand::rng();
        draw(alphabet, len, |count| random.random_range(0..count))
    }

    fn time_ordered(&self) -> String {
        Uuid::now_v7().to_string()
    }
}

/// Ids that are the same in each run: for tests.
#[derive(Debug)]
pub struct SequentialIds(AtomicU64);

impl SequentialIds {
    /// Ids that begin behind `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl Ids for SequentialIds {
    fn uuid(&self) -> String {
        format!("00000000-0000-4000-8000-{:012x}", self.next())
    }

    fn token(&self, alphabet: &str, len: usize) -> String {
        let mut rest = self.next();
        draw(alphabet, len, |count| {
            let digit = rest % count as u64;
            rest /= count as u64;
            digit as usize
        })
    }

    fn time_ordered(&self) -> String {
        format!("00000000-0000-7000-8000-{:012x}", self.next())
    }
}

fn draw(alphabet: &str, len: usize, mut index: impl FnMut(usize) -> usize) -> String {
    let letters: Vec<char> = alphabet.chars().collect();
    if letters.is_empty() {
        return String::new();
    }
    (0..len).map(|_| letters[index(letters.len())]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_the_length_and_letters_asked_for() {
        let token = SystemIds.token("AB7", 40);
        assert!(token.len() == 40 && token.chars().all(|letter| "AB7".contains(letter)));
        assert_ne!(SystemIds.token("0123456789abcdef", 20), SystemIds.token("0123456789abcdef", 20));
    }

    #[test]
    fn time_ordered_ids_sort_as_made() {
        for ids in [&SystemIds as &dyn Ids, &SequentialIds::new(7)] {
            let made: Vec<String> = (0..1_000).map(|_| ids.time_ordered()).collect();
            assert!(made.is_sorted());
        }
    }

    #[test]
    fn sequential_ids_repeat_in_each_run() {
        let (first, second) = (SequentialIds::new(1), SequentialIds::new(1));
        assert_eq!(first.uuid(), second.uuid());
        assert_eq!(first.token("abc", 5), second.token("abc", 5));
        assert_eq!(first.uuid(), "00000000-0000-4000-8000-000000000004");
    }
}
