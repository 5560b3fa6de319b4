//! What hosts and servers say over `codedeploy-commands`: signed envelopes (PKCS #7, DER) and JSON.
//!
//! Held: an envelope that is trusted has its content in it, and is trusted no more with one bit of the content changed; DER
//! elements lie within their bytes, and are written again as they were, where they were in the short form; ids that become
//! folders are plain names; each message is written and read again the same.

use agent::host::fuzz::{element, elements, open, specification};
use aws::codedeploy_commands as commands;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// The body: DER, or JSON.
pub fn body(data: &[u8]) {
    der(data);
    if let Ok(content) = open("PKCS7/JSON", &pem(data)) {
        trusted(data, &content);
        let _ = specification(&content);
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = open("PKCS7/JSON", text);
    }
    if let Ok((deployment, group)) = specification(data) {
        for id in [deployment, group] {
            assert!(!id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{id}");
        }
    }
    again::<commands::PollHostCommandInput>(data);
    again::<commands::PollHostCommandOutput>(data);
    again::<commands::GetDeploymentSpecificationInput>(data);
    again::<commands::GetDeploymentSpecificationOutput>(data);
    again::<commands::PutHostCommandAcknowledgementInput>(data);
    again::<commands::PutHostCommandCompleteInput>(data);
    if let Some(operation) = std::str::from_utf8(data).ok().and_then(commands::operation) {
        assert!(data.ends_with(operation.as_bytes()));
    }
}

fn again<T: Serialize + DeserializeOwned + PartialEq + Debug>(data: &[u8]) {
    if let Ok(message) = serde_json::from_slice::<T>(data) {
        let written = serde_json::to_vec(&message).unwrap();
        assert_eq!(serde_json::from_slice::<T>(&written).unwrap(), message);
    }
}

fn pem(der: &[u8]) -> String {
    format!("-----BEGIN PKCS7-----\n{}\n-----END PKCS7-----\n", STANDARD.encode(der))
}

fn trusted(der: &[u8], content: &[u8]) {
    let Some(at) = der.windows(content.len().max(1)).position(|window| window == content) else {
        assert!(content.is_empty(), "the content is in the envelope");
        return;
    };
    let mut forged = der.to_vec();
    forged[at] ^= 1;
    assert!(open("PKCS7/JSON", &pem(&forged)).is_err(), "a forged content");
}

fn der(data: &[u8]) {
    let mut top = 0;
    for (tag, content, whole) in elements(data, 0) {
        top += whole.len();
        assert!(content.len() < whole.len() && whole.ends_with(content) && whole[0] == tag);
        if content.len() < 128 && whole.len() == content.len() + 2 {
            assert_eq!(element(tag, content), whole);
        }
        let written = element(tag, content);
        assert_eq!(elements(&written, 0), [(tag, content, &written[..])]);
    }
    assert!(top <= data.len());
    assert!(elements(data, 8).len() <= 9 * data.len());
}
