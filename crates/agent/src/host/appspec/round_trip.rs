//! An appspec is what it was before it was written, with any quotes, remarks, and line ends.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn word() -> impl Strategy<Value = String> {
    prop_oneof![3 => "[a-z]{1,8}", 1 => "[ -~é日]{1,12}".prop_filter("no climbing", |text| !climbs(text) && !text.trim().is_empty())]
}

fn file() -> impl Strategy<Value = FileMapping> {
    (word(), word()).prop_map(|(source, below)| FileMapping { source, destination: format!("/{below}") })
}

fn permission() -> impl Strategy<Value = Permission> {
    let kinds = prop::sample::subsequence(vec![Kind::File, Kind::Directory], 1..3);
    let option = || prop::option::of(word());
    let mode = prop::option::of("[0-7]{1,4}");
    (word(), word(), prop::collection::vec(word(), 0..3), option(), option(), mode, kinds).prop_map(
        |(object, pattern, except, owner, group, mode, kinds)| Permission {
            object,
            pattern,
            except,
            owner,
            group,
            mode,
            acls: None,
            context: None,
            kinds,
        },
    )
}

fn script() -> impl Strategy<Value = HookScript> {
    (word(), 1..100_000_u64, prop::option::of(word()), any::<bool>())
        .prop_map(|(location, timeout, runas, sudo)| HookScript { location, timeout, runas, sudo })
}

fn appspec() -> impl Strategy<Value = AppSpec> {
    let behaviors = [FileExistsBehavior::Disallow, FileExistsBehavior::Overwrite, FileExistsBehavior::Retain];
    let behavior = prop::option::of(prop::sample::select(behaviors.to_vec()));
    let files = prop::collection::vec(file(), 0..3);
    let hooks = prop::collection::btree_map("[A-Z][a-z]{1,8}", prop::collection::vec(script(), 0..3), 0..4);
    (files, behavior, prop::collection::vec(permission(), 0..3), hooks).prop_map(
        |(files, file_exists_behavior, permissions, hooks)| AppSpec { files, file_exists_behavior, permissions, hooks },
    )
}

/// Lines that are written in one of many styles: each choice takes a byte, from the start again when they are used up.
struct Writer<'a> {
    style: std::iter::Cycle<std::slice::Iter<'a, u8>>,
    out: String,
}

impl Writer<'_> {
    fn chance(&mut self, one_in: u8) -> bool {
        self.style.next().is_some_and(|byte| byte % one_in == 0)
    }

    fn line(&mut self, begin: &str, text: Option<&str>) {
        if self.chance(8) {
            self.out.push_str("# a remark: here\n");
        }
        self.out.push_str(begin);
        if let Some(text) = text {
            let written = self.scalar(text);
            self.out.push_str(&format!(" {written}"));
        }
        let end = if self.chance(8) { "  # why\n" } else { "\n" };
        self.out.push_str(end);
    }

    fn scalar(&mut self, text: &str) -> String {
        let plain = text.starts_with(|letter: char| letter.is_ascii_alphanumeric() || letter == '/')
            && text.chars().all(|letter| letter.is_ascii_alphanumeric() || "/._-".contains(letter));
        let word = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"].contains(&text);
        match (self.chance(2), self.chance(2)) {
            (true, _) if plain && !word => text.to_owned(),
            (_, true) => format!("'{}'", text.replace('\'', "''")),
            _ => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
        }
    }

    fn list(&mut self, texts: impl Iterator<Item = String>) -> String {
        let items: Vec<String> = texts.map(|text| self.scalar(&text)).collect();
        format!("[{}]", items.join(", "))
    }

    fn appspec(&mut self, appspec: &AppSpec) {
        self.line("version: 0.0", None);
        self.line("os:", Some("linux"));
        self.line("files:", None);
        for file in &appspec.files {
            self.line("  - source:", Some(&file.source));
            self.line("    destination:", Some(&file.destination));
        }
        if let Some(behavior) = appspec.file_exists_behavior {
            self.line("file_exists_behavior:", Some(&format!("{behavior:?}").to_uppercase()));
        }
        self.line("permissions:", None);
        appspec.permissions.iter().for_each(|permission| self.permission(permission));
        self.line("hooks:", None);
        for (event, scripts) in &appspec.hooks {
            self.line(&format!("  {event}:"), None);
            scripts.iter().for_each(|script| self.script(script));
        }
    }

    fn permission(&mut self, permission: &Permission) {
        self.line("  - object:", Some(&permission.object));
        self.line("    pattern:", Some(&permission.pattern));
        let except = self.list(permission.except.iter().cloned());
        self.line(&format!("    except: {except}"), None);
        for (key, value) in [("owner", &permission.owner), ("group", &permission.group), ("mode", &permission.mode)] {
            if let Some(value) = value {
                self.line(&format!("    {key}:"), Some(value));
            }
        }
        let kinds = self.list(permission.kinds.iter().map(|kind| format!("{kind:?}").to_lowercase()));
        self.line(&format!("    type: {kinds}"), None);
    }

    fn script(&mut self, script: &HookScript) {
        self.line("    - location:", Some(&script.location));
        self.line("      timeout:", Some(&script.timeout.to_string()));
        if let Some(user) = &script.runas {
            self.line("      runas:", Some(user));
        }
        if script.sudo {
            self.line("      sudo: true", None);
        }
    }
}

fn written(appspec: &AppSpec, style: &[u8]) -> String {
    let mut writer = Writer { style: style.iter().cycle(), out: String::new() };
    let (mark, windows) = (writer.chance(6), writer.chance(6));
    writer.appspec(appspec);
    let text = if windows { writer.out.replace('\n', "\r\n") } else { writer.out };
    if mark { format!("\u{feff}{text}") } else { text }
}

proptest! {
    #[test]
    fn an_appspec_is_read_as_it_was_meant(appspec in appspec(), style in prop::collection::vec(any::<u8>(), 1..100)) {
        let text = written(&appspec, &style);
        prop_assert_eq!(AppSpec::parse(&text), Ok(appspec), "{}", text);
    }

    #[test]
    fn a_damaged_appspec_is_an_error_with_words_or_another_appspec(
        appspec in appspec(), style in prop::collection::vec(any::<u8>(), 1..60), at in any::<prop::sample::Index>(),
        put in "[ -~\n\t]{0,4}",
    ) {
        let mut letters: Vec<char> = written(&appspec, &style).chars().collect();
        let at = at.index(letters.len());
        letters.splice(at..at + 1, put.chars());
        match AppSpec::parse(&String::from_iter(letters)) {
            Ok(read) => {
                let events: BTreeSet<&String> = read.hooks.keys().collect();
                prop_assert!(events.iter().all(|event| read.scripts(event).iter().all(|script| !climbs(&script.location))));
            }
            Err(message) => prop_assert!(message.contains(" line ") || message.contains("missing"), "{}", message),
        }
    }
}
