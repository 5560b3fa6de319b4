//! DOWNLOAD_SOURCE, its end: the runtimes that the buildspec asks for are looked up in the image's own table.

use super::download::yaml_error;
use super::ends::Halt;
use super::session::Session;
use crate::rules::buildspec::Buildspec;
use crate::rules::job::runtime_versions;
use crate::rules::runtimes::{LARGEST_TABLE, Runtimes, Selection, TABLE, UNSUPPORTED, Unselectable};
use crate::rules::sources::Source;

impl Session<'_> {
    /// The commands that select the runtimes. Of an image without a table nothing is asked but a line in the log.
    pub(super) async fn runtimes(&mut self, buildspec: &Buildspec, sources: &[Source]) -> Result<Vec<String>, Halt> {
        let wanted = runtime_versions(buildspec);
        if wanted.is_empty() {
            return Ok(vec![]);
        }
        let Ok(table) = self.file(TABLE, LARGEST_TABLE).await? else {
            self.say(&[UNSUPPORTED]);
            return Ok(vec![]);
        };
        let table = Runtimes::parse(&String::from_utf8_lossy(&table))
            .map_err(|error| yaml_error(format!("the image's {TABLE}: {error}")))?;
        match table.select(&wanted, &self.environment(buildspec, sources)) {
            Ok(Selection { lines, commands }) => {
                self.say(&lines);
                Ok(commands)
            }
            Err(Unselectable { lines, message }) => {
                self.say(&lines);
                Err(yaml_error(message))
            }
        }
    }
}
