//! What tests of failing input and output share: a test starts itself again with `failing_io.c` loaded, and arms it there.
//!
//! Included by path (`#[path = "../../../../tests/failing_io/harness.rs"]`), since the product has no crate for it.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How many calls apart those are that fail where not all do (`LANDFALL_FAIL_EVERY=1` fails each).
const STRIDE: u64 = 11;

/// Classes of calls, in failing_io.c's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Open,
    Read,
    Write,
    Sync,
    Rename,
    Unlink,
    Mkdir,
    Truncate,
    Stat,
    List,
    Map,
}

/// What becomes of the call that is to fail, and of those behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Once = 1,
    /// It and all that follow.
    FromThereOn = 2,
    /// Once; a write leaves its first half.
    Torn = 5,
}

const EIO: i32 = 5;
const EMFILE: i32 = 24;
const ENOSPC: i32 = 28;
const EROFS: i32 = 30;

/// What is tried: which calls, how they fail, with which error.
pub const FAULTS: [(Class, Mode, i32); 19] = [
    (Class::Sync, Mode::Once, EIO),
    (Class::Sync, Mode::FromThereOn, EIO),
    (Class::Write, Mode::Once, EIO),
    (Class::Write, Mode::Torn, EIO),
    (Class::Write, Mode::Torn, ENOSPC),
    (Class::Write, Mode::FromThereOn, ENOSPC),
    (Class::Open, Mode::Once, EMFILE),
    (Class::Open, Mode::FromThereOn, EMFILE),
    (Class::Open, Mode::FromThereOn, EROFS),
    (Class::Read, Mode::Once, EIO),
    (Class::Read, Mode::FromThereOn, EIO),
    (Class::Rename, Mode::Once, ENOSPC),
    (Class::Rename, Mode::FromThereOn, EROFS),
    (Class::Unlink, Mode::FromThereOn, EIO),
    (Class::Mkdir, Mode::Once, ENOSPC),
    (Class::Truncate, Mode::Once, EIO),
    (Class::Stat, Mode::Once, EIO),
    (Class::List, Mode::Once, EIO),
    (Class::Map, Mode::Once, EIO),
];

/// The control file of failing_io.c, in the process that it is loaded into.
pub struct Faults {
    control: File,
    path: PathBuf,
    /// Below it calls fail.
    pub folder: PathBuf,
}

/// How many bytes of the control file the names and pages take.
const ACCOUNT: usize = 8_192 * 256 + 65_536 * 16;

const FILE: &str = "FAILING_IO_FILE";
const FOLDER: &str = "FAILING_IO_BELOW";

impl Faults {
    /// Of this process. Absent where nothing was loaded.
    pub fn here() -> Option<Self> {
        let path = PathBuf::from(std::env::var_os(FILE)?);
        let folder = PathBuf::from(std::env::var_os(FOLDER)?);
        Some(Self { control: OpenOptions::new().read(true).write(true).open(&path).unwrap(), path, folder })
    }

    /// Forgets what is known of files: they are gone.
    fn forget(&self) {
        self.put(40, 0);
        self.control.write_all_at(&vec![0; ACCOUNT], 560).unwrap();
    }

    /// From the `nth` of the class's calls from now on, they fail so.
    pub fn arm(&self, (class, mode, error): (Class, Mode, i32), nth: u64) {
        self.rest();
        for (at, value) in
            [(4, mode as u32), (8, error.unsigned_abs()), (12, 0), (16, nth as u32), (20, 0), (24, 0), (28, 0)]
        {
            self.put(at, value);
        }
        self.put(0, 1 << class as u32);
    }

    /// Nothing fails any more.
    pub fn rest(&self) {
        self.put(0, 0);
    }

    /// How many calls were made to fail since the arming.
    pub fn failed(&self) -> u32 {
        let mut bytes = [0; 4];
        self.control.read_exact_at(&mut bytes, 12).unwrap();
        u32::from_ne_bytes(bytes)
    }

    /// The call that failed last.
    pub fn last(&self) -> String {
        let mut bytes = [0; 256];
        self.control.read_exact_at(&mut bytes, 304).unwrap();
        bytes.split(|byte| *byte == 0).next().map(|text| String::from_utf8_lossy(text).into_owned()).unwrap_or_default()
    }

    fn put(&self, at: u64, value: u32) {
        self.control.write_all_at(&value.to_ne_bytes(), at).unwrap();
    }

    /// What a power cut now would leave of the folder `of`, in a folder of its own beside it.
    pub fn power_cut(&self, of: &Path) -> PathBuf {
        let copy = of.with_extension("after-power-cut");
        let _ = fs::remove_dir_all(&copy);
        assert!(Command::new("cp").arg("-a").args([of, &copy]).status().unwrap().success());
        let mut cut = Command::new(built().join("power-cut"));
        let done = cut.arg(&self.path).args([of, &copy]).arg("unsynced").output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        copy
    }
}

/// Calls `attempt` with the 1st, 2nd, 3rd… call of each class failing on files whose paths contain `only`, until nothing fails
/// any more. It is given a fresh folder each time, what arms the fault, and what to say where it finds something wrong.
pub fn fail_each(faults: &Faults, only: &str, mut attempt: impl FnMut(&Path, &dyn Fn(), &str)) {
    faults.control.write_all_at(&[only.as_bytes(), &[0]].concat(), 176).unwrap();
    let every = std::env::var("LANDFALL_FAIL_EVERY").ok().and_then(|every| every.parse().ok()).unwrap_or(STRIDE);
    println!("failing every {every}th call, beside the first two of each kind");
    for fault in FAULTS {
        let mut failed = 0;
        for nth in (1..).filter(|nth| *nth <= 2 || nth % every == 0) {
            let folder = faults.folder.join("data");
            let _ = fs::remove_dir_all(&folder);
            faults.forget();
            fs::create_dir(&folder).unwrap();
            File::open(&faults.folder).unwrap().sync_all().unwrap();
            let case = format!("{fault:?}, call {nth}");
            attempt(&folder, &|| faults.arm(fault, nth), &case);
            faults.rest();
            if faults.failed() == 0 {
                break;
            }
            failed += 1;
        }
        println!("{fault:?}: {failed} failed, the last at {}", faults.last());
    }
}

/// Runs the ignored test `name` of this program in a process with the library loaded; fails as it does.
pub fn run_with_faults(name: &str) {
    // Where syncing costs nothing: what reaches the disk is accounted for by the library.
    let memory = Some(PathBuf::from("/dev/shm")).filter(|folder| folder.is_dir());
    let home = tempfile::tempdir_in(memory.unwrap_or_else(std::env::temp_dir)).unwrap();
    let (control, folder) = (home.path().join("control"), home.path().join("below"));
    File::create(&control).unwrap();
    fs::create_dir(&folder).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", name, "--ignored", "--nocapture", "--test-threads=1"]);
    child.env("LD_PRELOAD", built().join("failing_io.so"));
    child.env("FAILING_IO", &control).env(FILE, &control).env(FOLDER, folder.canonicalize().unwrap());
    let done = child.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    println!("{out}");
    assert!(done.status.success() && out.contains("1 passed"), "{}\n{out}\n{err}", done.status);
}

/// The folder with the library and the program, compiled where they are not or the source is newer.
fn built() -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/failing_io/failing_io.c");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).to_owned();
    let outcomes: [(&str, &[&str]); 2] =
        [("failing_io.so", &["-shared", "-fPIC", "-pthread"]), ("power-cut", &["-DPOWER_CUT"])];
    for (name, flags) in outcomes {
        let (place, new) = (folder.join(name), folder.join(format!("{name}.{}", std::process::id())));
        let changed = |path: &Path| fs::metadata(path).and_then(|found| found.modified()).ok();
        if changed(&place) < changed(&source) {
            let mut gcc = Command::new("gcc");
            let compiled = gcc.args(["-O1", "-Wall", "-o"]).arg(&new).args(flags).arg(&source).args(["-ldl"]).status();
            assert!(compiled.expect("gcc").success());
            fs::rename(new, place).unwrap();
        }
    }
    folder
}
