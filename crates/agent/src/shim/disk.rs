//! A container's writable space: a plain folder, or a file system of its own in a sparse file, whose size the kernel keeps.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};

// From <linux/loop.h>.
const LOOP_CONFIGURE: u32 = 0x4c0a;
const LOOP_CTL_GET_FREE: u32 = 0x4c82;
/// The device lets go of the file with its last mount, however that ends: none is ever left behind.
const LO_FLAGS_AUTOCLEAR: u32 = 4;

/// How often another process may take the free device that this one was told.
const ATTEMPTS: usize = 64;

nix::ioctl_none_bad!(next_free, LOOP_CTL_GET_FREE);
nix::ioctl_write_ptr_bad!(configure, LOOP_CONFIGURE, LoopConfig);

/// `struct loop_config`, with `struct loop_info64` in it.
#[repr(C)]
pub(super) struct LoopConfig {
    file: u32,
    block_size: u32,
    /// Device, inode, device of the loop, offset, size limit.
    numbers: [u64; 5],
    /// Number, two of encryption, flags.
    short: [u32; 4],
    /// Two names, a key, two further numbers, and what is kept for later.
    rest: [u8; 64 + 64 + 32 + 16 + 64],
}

impl LoopConfig {
    fn of(file: RawFd) -> Self {
        // A descriptor is never negative.
        let file = u32::try_from(file).unwrap_or(u32::MAX);
        Self { file, block_size: 0, numbers: [0; 5], short: [0, 0, 0, LO_FLAGS_AUTOCLEAR], rest: [0; 240] }
    }
}

/// Mounts the ext4 file system in the file `image` on `space`, in this process's mount namespace.
///
/// # Errors
/// The system's, with what was tried.
pub(super) fn mount_image(image: &Path, space: &Path) -> io::Result<()> {
    let (device, _held) = attach(image).map_err(|error| named("cannot attach a loop device to", image, &error))?;
    // The tables of inodes are zeroes already: the file is new.
    let options = "noinit_itable,errors=remount-ro";
    mount(Some(&device), space, Some("ext4"), MsFlags::MS_NOATIME, Some(options))
        .map_err(|error| named("cannot mount", image, &error.into()))
}

/// A free loop device with the file behind it, held open until it is mounted.
fn attach(image: &Path) -> io::Result<(PathBuf, File)> {
    let file = OpenOptions::new().read(true).write(true).open(image)?;
    let control = OpenOptions::new().read(true).write(true).open("/dev/loop-control")?;
    for _ in 0..ATTEMPTS {
        // SAFETY: the request has no argument, and the descriptor is open.
        let number = unsafe { next_free(control.as_raw_fd()) }?;
        let device = PathBuf::from(format!("/dev/loop{number}"));
        let opened = OpenOptions::new().read(true).write(true).open(&device)?;
        // SAFETY: the structure has the kernel's layout and lives through the call.
        match unsafe { configure(opened.as_raw_fd(), &LoopConfig::of(file.as_raw_fd())) } {
            Ok(_) => return Ok((device, opened)),
            Err(Errno::EBUSY) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(io::Error::other("all loop devices are taken"))
}

fn named(action: &str, path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{action} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_has_the_kernels_layout() {
        assert_eq!(size_of::<LoopConfig>(), 304);
        assert_eq!(std::mem::offset_of!(LoopConfig, short) + 3 * 4, 8 + 52);
    }
}
