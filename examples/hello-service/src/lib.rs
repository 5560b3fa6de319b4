//! A small HTTP service: it greets, and says which version of it is running.

mod page;
mod probe;
mod request;
mod server;

pub use page::{Response, respond};
pub use probe::{fetch, probe};
pub use request::{BadRequest, Request};
pub use server::serve;

/// The release, from the file `VERSION`.
pub const VERSION: &str = include_str!("../VERSION").trim_ascii_end();

#[cfg(test)]
mod tests {
    use super::VERSION;

    #[test]
    fn a_version_is_three_numbers() {
        let parts: Vec<&str> = VERSION.split('.').collect();
        assert!(
            parts.len() == 3 && parts.iter().all(|part| part.parse::<u32>().is_ok()),
            "'{VERSION}' is not like 1.0.0"
        );
    }
}
