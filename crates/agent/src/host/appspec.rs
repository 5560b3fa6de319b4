//! The appspec of a Server deployment: `version`, `os`, `files`, `file_exists_behavior`, `permissions`, `hooks`.
//! Source: "AppSpec file structure for EC2/On-Premises deployments" in the CodeDeploy User Guide.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_saphyr::Spanned;

/// Longest appspec, in bytes.
pub(super) const MAX_APPSPEC: u64 = 1024 * 1024;
const DEFAULT_TIMEOUT: u64 = 3600;

/// A checked appspec.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct AppSpec {
    pub(super) files: Vec<FileMapping>,
    pub(super) file_exists_behavior: Option<FileExistsBehavior>,
    pub(super) permissions: Vec<Permission>,
    pub(super) hooks: BTreeMap<String, Vec<HookScript>>,
}

/// What a bundle's file becomes on the host.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct FileMapping {
    /// File or folder in the bundle; `/` is the whole bundle.
    pub(super) source: String,
    /// Folder on the host.
    pub(super) destination: String,
}

/// What happens to a file that is at the destination already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum FileExistsBehavior {
    Disallow,
    Overwrite,
    Retain,
}

/// Owner, group and mode of installed files.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Permission {
    pub(super) object: String,
    #[serde(default = "everything")]
    pub(super) pattern: String,
    #[serde(default)]
    pub(super) except: Vec<String>,
    pub(super) owner: Option<String>,
    pub(super) group: Option<String>,
    /// Up to four octal digits; YAML's `644` and `"0644"` are one.
    pub(super) mode: Option<String>,
    pub(super) acls: Option<Vec<String>>,
    pub(super) context: Option<Context>,
    #[serde(default = "both_kinds", rename = "type")]
    pub(super) kinds: Vec<Kind>,
}

/// An SELinux label.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Context {
    #[serde(rename = "type")]
    pub(super) kind: String,
}

/// What a permission applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    File,
    Directory,
}

/// A script of a lifecycle event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HookScript {
    /// Path in the bundle.
    pub(super) location: String,
    /// Seconds.
    pub(super) timeout: u64,
    pub(super) runas: Option<String>,
    pub(super) sudo: bool,
}

fn everything() -> String {
    "**".into()
}

fn both_kinds() -> Vec<Kind> {
    vec![Kind::File, Kind::Directory]
}

#[derive(Deserialize)]
struct Document {
    version: Spanned<Version>,
    os: Spanned<String>,
    #[serde(default)]
    files: Option<Vec<Spanned<FileMapping>>>,
    #[serde(default)]
    file_exists_behavior: Option<FileExistsBehavior>,
    #[serde(default)]
    permissions: Option<Vec<Spanned<Permission>>>,
    #[serde(default)]
    hooks: Option<BTreeMap<String, Option<Vec<Spanned<Script>>>>>,
}

/// A number: AWS's agents refuse a quoted one.
#[derive(Deserialize)]
#[serde(untagged)]
enum Version {
    Number(f64),
    Other(String),
}

#[derive(Deserialize)]
struct Script {
    location: String,
    #[serde(default)]
    timeout: Option<Seconds>,
    #[serde(default)]
    runas: Option<String>,
    #[serde(default)]
    sudo: bool,
}

/// Some quote their numbers; AWS's agent takes either.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(u64),
    Text(String),
}

impl AppSpec {
    /// Reads an appspec. Keys that it does not know are passed over, as AWS's agent does: real files have `overwrite` among
    /// `files` and `interpreter` among `hooks`.
    ///
    /// # Errors
    /// A sentence with line and column.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let document: Document = serde_saphyr::from_str(text.strip_prefix('\u{feff}').unwrap_or(text))
            .map_err(|error: serde_saphyr::Error| error.without_snippet().to_string())?;
        check_version(&document.version)?;
        check_os(&document.os)?;
        Ok(Self {
            files: checked(document.files, check_file)?,
            file_exists_behavior: document.file_exists_behavior,
            permissions: checked(document.permissions, check_permission)?,
            hooks: hooks(document.hooks.unwrap_or_default())?,
        })
    }

    /// The scripts of a lifecycle event.
    pub(super) fn scripts(&self, event: &str) -> &[HookScript] {
        self.hooks.get(event).map_or(&[], Vec::as_slice)
    }
}

fn at<T>(place: &Spanned<T>, problem: &str) -> String {
    format!("{problem} at line {}, column {}", place.referenced.line(), place.referenced.column())
}

fn check_version(version: &Spanned<Version>) -> Result<(), String> {
    let given = match &version.value {
        Version::Number(0.0) => return Ok(()),
        Version::Number(number) => number.to_string(),
        Version::Other(text) => format!("\"{text}\""),
    };
    let problem = format!("invalid version value ({given}): the version of an AppSpec file is the number 0.0");
    Err(at(version, &problem))
}

fn check_os(os: &Spanned<String>) -> Result<(), String> {
    if os.value == "linux" {
        return Ok(());
    }
    Err(at(os, &format!("invalid os value ({}): this host is linux", os.value)))
}

fn checked<T>(list: Option<Vec<Spanned<T>>>, check: fn(&T) -> Result<(), String>) -> Result<Vec<T>, String> {
    let items = list.into_iter().flatten();
    items.map(|item| check(&item.value).map_err(|problem| at(&item, &problem)).map(|()| item.value)).collect()
}

fn check_file(file: &FileMapping) -> Result<(), String> {
    if climbs(&file.source) {
        return Err(format!("source {}: must lie in the bundle", file.source));
    }
    if !file.destination.starts_with('/') {
        return Err(format!("destination {}: must be an absolute path", file.destination));
    }
    Ok(())
}

fn check_permission(permission: &Permission) -> Result<(), String> {
    if permission.object.is_empty() {
        return Err("a permission needs an object".into());
    }
    if permission.acls.is_some() || permission.context.is_some() {
        return Err(format!("acls and context of {} are not supported by this agent", permission.object));
    }
    match &permission.mode {
        Some(mode)
            if mode.is_empty() || mode.len() > 4 || !mode.bytes().all(|digit| (b'0'..=b'7').contains(&digit)) =>
        {
            Err(format!("mode {mode} of {}: must be one to four octal digits", permission.object))
        }
        _ => Ok(()),
    }
}

type Hooks = BTreeMap<String, Option<Vec<Spanned<Script>>>>;

fn hooks(hooks: Hooks) -> Result<BTreeMap<String, Vec<HookScript>>, String> {
    let events = hooks.into_iter();
    events
        .map(|(event, scripts)| Ok((event, scripts.into_iter().flatten().map(script).collect::<Result<_, _>>()?)))
        .collect()
}

fn script(script: Spanned<Script>) -> Result<HookScript, String> {
    let Script { location, timeout, runas, sudo } = &script.value;
    if location.is_empty() || climbs(location) {
        return Err(at(&script, &format!("hook location {location:?}: must be a script in the bundle")));
    }
    let timeout = match timeout {
        None => Some(DEFAULT_TIMEOUT),
        Some(Seconds::Number(seconds)) => Some(*seconds),
        Some(Seconds::Text(text)) => text.parse().ok(),
    };
    let timeout = timeout.filter(|seconds| *seconds > 0);
    let timeout = timeout
        .ok_or_else(|| at(&script, &format!("timeout of {location}: must be a number of seconds, more than 0")))?;
    Ok(HookScript { location: location.clone(), timeout, runas: runas.clone(), sudo: *sudo })
}

fn climbs(path: &str) -> bool {
    path.split('/').any(|part| part == "..")
}

#[cfg(test)]
mod round_trip;

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    const EXAMPLE: &str = r#"version: 0.0
os: linux
files:
  - source: /
    destination: /srv/app
file_exists_behavior: OVERWRITE
permissions:
  - object: /srv/app
    pattern: "*.sh"
    except: [skip.sh]
    owner: root
    mode: 0755
    type:
      - file
hooks:
  ApplicationStop:
  AfterInstall:
    - location: scripts/after.sh
      timeout: 30
      runas: app
  ApplicationStart:
    - location: scripts/start.sh
    - location: scripts/second.sh
"#;

    #[test]
    fn an_appspec_is_read() {
        let appspec = AppSpec::parse(EXAMPLE).unwrap();
        assert_eq!(appspec.files, [FileMapping { source: "/".into(), destination: "/srv/app".into() }]);
        assert_eq!(appspec.file_exists_behavior, Some(FileExistsBehavior::Overwrite));
        let permission = &appspec.permissions[0];
        assert_eq!((permission.mode.as_deref(), &permission.kinds[..]), (Some("0755"), &[Kind::File][..]));
        let [script] = appspec.scripts("AfterInstall") else { panic!("one script") };
        assert_eq!((script.timeout, script.runas.as_deref()), (30, Some("app")));
        assert_eq!(appspec.scripts("ApplicationStart")[1].timeout, 3600);
        assert!(appspec.scripts("ApplicationStop").is_empty() && appspec.scripts("BeforeInstall").is_empty());
        assert_eq!(AppSpec::parse("version: 0.0\nos: linux\n").unwrap(), AppSpec::default());
    }

    #[test]
    fn what_real_files_have_is_passed_over() {
        let text = EXAMPLE
            .replace("    destination: /srv/app\n", "    destination: /srv/app\n    overwrite: true\n")
            .replace("      timeout: 30\n", "      timeout: \"30\"\n      interpreter: bash\n");
        assert_eq!(AppSpec::parse(&text), AppSpec::parse(EXAMPLE));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let table = [
            ("version: 0.0", "version: 1.0", "invalid version value (1)", "line 1, column 10"),
            ("version: 0.0", "version: \"0.0\"", "invalid version value (\"0.0\")", "line 1, column 10"),
            ("os: linux", "os: windows", "invalid os value (windows)", "line 2, column 5"),
            ("destination: /srv/app", "destination: srv/app", "must be an absolute path", "line 4, column 5"),
            ("source: /", "source: a/../../b", "must lie in the bundle", "line 4, column 5"),
            ("mode: 0755", "mode: 0799", "four octal digits", "line 8, column 5"),
            ("timeout: 30", "timeout: 0", "more than 0", "line 18, column 7"),
            ("timeout: 30", "timeout: soon", "number of seconds", "line 18, column 7"),
            ("    - location: scripts/after.sh", "    - locaton: scripts/after.sh", "location", "line 20"),
            ("location: scripts/start.sh", "location: ../start.sh", "a script in the bundle", "line 22, column 7"),
            ("OVERWRITE", "overwrite", "overwrite", "line 6"),
            ("hooks:", "\thooks:", "found a tab", "line 14"),
            ("os: linux\n", "", "os", ""),
        ];
        for (good, bad, problem, place) in table {
            let message = AppSpec::parse(&EXAMPLE.replacen(good, bad, 1)).unwrap_err();
            assert!(message.contains(problem) && message.contains(place), "{bad}: {message}");
        }
    }
}
