//! `landfall --help`: the commands by what they are for.

use clap::Command;
use std::fmt::Write as _;

/// The commands in their groups, each in the order in which a newcomer meets them.
const GROUPS: &[(&str, &[&str])] = &[
    ("Begin", &["run", "demo", "doctor", "serve", "env"]),
    ("Look", &["status", "pipeline", "logs", "console"]),
    ("Care", &["images", "backup", "restore", "gc", "tls", "config"]),
    ("About", &["api", "completions", "version", "help"]),
];

const EXAMPLES: &str = "\
Examples:
  landfall run                           this folder by its buildspec.yml, without a server
  landfall doctor                        what this machine lacks, with the command that mends it
  landfall serve                         the server, its data in ./landfall-data
  eval \"$(landfall env)\"                 then aws, boto3 and git speak to it
  landfall pipeline watch app            a pipeline's run, live; exits 0 when it succeeded
  landfall logs -f --build app           the log of the project's newest build, to its end
";

/// `command` with a help page that shows its subcommands in groups.
pub(crate) fn grouped(command: Command) -> Command {
    // What is built cannot be changed any more, and the reading of the command line changes it.
    let mut built = command.clone();
    built.build();
    let mut page = "{about}\n\n{usage-heading} {usage}\n".to_owned();
    let width = built.get_subcommands().map(|sub| sub.get_name().len()).max().unwrap_or_default();
    for (heading, names) in GROUPS {
        let _ = write!(page, "\n{heading}:\n");
        for sub in names.iter().filter_map(|name| built.find_subcommand(name)) {
            let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(page, "  {:width$}  {about}", sub.get_name());
        }
    }
    page.push_str("\nOptions:\n{options}{after-help}");
    command.help_template(page).after_help(EXAMPLES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Landfall;
    use clap::CommandFactory;

    #[test]
    fn every_command_is_in_one_group() {
        let mut command = Landfall::command();
        command.build();
        let listed: Vec<_> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            let count = listed.iter().filter(|name| **name == sub.get_name()).count();
            assert_eq!(count, 1, "{}: put it into one group of help.rs", sub.get_name());
        }
    }

    #[test]
    fn every_page_says_what_its_flags_mean_and_fits_the_screen() {
        fn check(command: &mut Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            let page = command.clone().term_width(100).render_help().to_string();
            assert!(command.get_about().is_some(), "{path} does not say what it is for");
            for line in page.lines() {
                assert!(line.chars().count() <= 100, "{path}: {line}");
            }
            for arg in command.get_arguments() {
                let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
                assert!(!help.is_empty(), "{path} {} has no help", arg.get_id());
                assert!(!help.ends_with('.'), "{path} {}: {help}", arg.get_id());
            }
            for sub in command.get_subcommands_mut() {
                check(sub, &path);
            }
        }
        let mut command = grouped(Landfall::command());
        command.build();
        check(&mut command, "");
    }
}
