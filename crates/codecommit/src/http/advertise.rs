//! `info/refs`: which references and capabilities there are.

use ::http::Response;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};

use super::{Body, Exchange, answer, failure};
use crate::Service;
use crate::git::GitError;
use crate::rules::request::{Program, wants_version_2};

impl Service {
    pub(super) async fn advertise(&self, exchange: &Exchange<'_>) -> Result<Response<Body>, Response<Body>> {
        if exchange.program == Program::ReceivePack {
            self.announce_left(&exchange.scope, &exchange.repository.id).await.map_err(failure)?;
        }
        let references = self.advertised(exchange).await.map_err(failure)?;
        let body = Full::new(Bytes::from(references)).map_err(|never| match never {}).boxed();
        Ok(answer(exchange.program, "advertisement", body))
    }

    async fn advertised(&self, exchange: &Exchange<'_>) -> Result<Vec<u8>, GitError> {
        let folder = self.git.ensure(&exchange.repository.id).await?;
        let _turn = self.git.processes.acquire().await;
        let mut command = self.git.command(&folder);
        let program = exchange.program.name().trim_start_matches("git-");
        command.args([program, "--stateless-rpc", "--http-backend-info-refs", "."]);
        if let Some(protocol) = &exchange.protocol {
            command.env("GIT_PROTOCOL", protocol);
        }
        let output = command.output().await?;
        if !output.status.success() {
            let message = String::from_utf8_lossy(&output.stderr).chars().take(500).collect();
            return Err(GitError::Failed { command: program.to_owned(), status: output.status, message });
        }
        let prefix = announcement(exchange.program, exchange.protocol.as_deref());
        Ok([prefix.as_bytes(), &output.stdout].concat())
    }
}

/// The packet that names the service, which version 2 of fetching does without.
fn announcement(program: Program, protocol: Option<&str>) -> String {
    if program == Program::UploadPack && wants_version_2(protocol) {
        return String::new();
    }
    let line = format!("# service={}\n", program.name());
    format!("{:04x}{line}0000", line.len() + 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_is_announced_unless_version_2_fetches() {
        assert_eq!(announcement(Program::UploadPack, None), "001e# service=git-upload-pack\n0000");
        assert_eq!(announcement(Program::UploadPack, Some("version=2")), "");
        assert_eq!(announcement(Program::ReceivePack, Some("version=2")), "001f# service=git-receive-pack\n0000");
    }
}
