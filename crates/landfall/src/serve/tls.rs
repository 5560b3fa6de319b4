//! What `--tls` means: certificates of our own, or from files; and what `--build-names` does.

use super::Options;
use super::options::BuildNames;
use crate::tls::{Authority, GivenCertificate, Inside, LocalCertificates, Names, Tls};
use kernel::{Clock, SystemClock};
use std::net::IpAddr;
use std::sync::Arc;

/// The TLS of a server on `address`, if the options ask for it.
///
/// # Errors
/// A user's error about a file that cannot be used.
pub(super) fn of(options: &Options, address: IpAddr) -> anyhow::Result<Option<Arc<Tls>>> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let tls = match (&options.tls_cert, &options.tls_key) {
        (Some(certificate), Some(key)) => Tls::given(GivenCertificate::open(certificate, key, clock)?)?,
        _ if options.tls => {
            let authority = Authority::in_folder(&options.data_dir, clock.now())?;
            let names = Names::new(address, options.public_url.as_deref(), host_name().as_deref());
            Tls::local(LocalCertificates::new(authority, names, clock))?
        }
        _ => return Ok(None),
    };
    Ok(Some(Arc::new(tls)))
}

/// HTTPS by AWS's names inside of builds, unless these are to lead outside.
pub(super) fn inside(options: &Options) -> Option<Arc<Inside>> {
    (options.build_names == BuildNames::On).then(|| Inside::new(&options.data_dir, Arc::new(SystemClock)))
}

/// The name that this machine has for itself.
fn host_name() -> Option<String> {
    std::fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|name| name.trim().to_owned())
}
