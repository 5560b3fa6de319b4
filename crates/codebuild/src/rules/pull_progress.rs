//! What a build's log says while its image is pulled. AWS says nothing; this is calm, one line now and then.

use engine::PullProgress;

/// A line about how far the pull of `image` is.
#[must_use]
pub fn line(image: &str, progress: PullProgress) -> String {
    match (progress.done, progress.total) {
        (0, 0) => format!("Pulling image {image}"),
        (done, 0) => format!("Pulling image {image}: {}", megabytes(done)),
        (done, total) => format!("Pulling image {image}: {} of {}", megabytes(done), megabytes(total)),
    }
}

/// Decimal, as registries and `docker pull` count.
fn megabytes(bytes: u64) -> String {
    match bytes / 1_000_000 {
        0 => format!("{} kB", bytes / 1_000),
        megabytes => format!("{megabytes} MB"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_known() {
        let said = |done, total| line("debian:12", PullProgress { done, total });
        assert_eq!(said(0, 0), "Pulling image debian:12");
        assert_eq!(said(40_500_000, 120_000_000), "Pulling image debian:12: 40 MB of 120 MB");
        assert_eq!(said(900_000, 0), "Pulling image debian:12: 900 kB");
    }
}
