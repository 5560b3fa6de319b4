//! A server for hosts' agents: `codedeploy-commands` and S3, over plain HTTP.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};

pub(crate) const HOST: &str = "arn:aws:iam::000000000000:user/host";

/// What the server holds.
pub(crate) struct Server {
    pub(crate) address: std::net::SocketAddr,
    shared: Arc<Shared>,
    pub(crate) completed: mpsc::UnboundedReceiver<Value>,
}

struct Shared {
    commands: Mutex<VecDeque<Value>>,
    queued: Notify,
    specifications: Mutex<HashMap<String, Value>>,
    objects: Mutex<HashMap<String, Vec<u8>>>,
    completed: mpsc::UnboundedSender<Value>,
    acknowledged: Mutex<Vec<Value>>,
    /// The next so many calls are answered 500.
    failing: Mutex<u32>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, completed) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            commands: Mutex::default(),
            queued: Notify::new(),
            specifications: Mutex::default(),
            objects: Mutex::default(),
            completed: sender,
            acknowledged: Mutex::default(),
            failing: Mutex::new(0),
        });
        let state = shared.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, state.clone()));
            }
        });
        Self { address, shared, completed }
    }

    pub(crate) fn put_object(&self, path: &str, content: Vec<u8>) {
        self.shared.objects.lock().unwrap().insert(path.into(), content);
    }

    pub(crate) fn put_specification(&self, deployment: &str, specification: Value) {
        self.shared.specifications.lock().unwrap().insert(deployment.into(), specification);
    }

    pub(crate) fn fail_next(&self, calls: u32) {
        *self.shared.failing.lock().unwrap() = calls;
    }

    /// Hands a command out; its identifier is `DEPLOYMENT/COMMAND`.
    pub(crate) fn queue(&self, deployment: &str, command: &str) {
        self.shared.commands.lock().unwrap().push_back(json!({
            "HostCommandIdentifier": format!("{deployment}/{command}"),
            "HostIdentifier": HOST,
            "DeploymentExecutionId": format!("CodeDeploy/us-east-1/x/y/deployment/{deployment}"),
            "CommandName": command,
            "Nonce": 1,
        }));
        self.shared.queued.notify_one();
    }

    /// The next command's end: its identifier, status and diagnostics.
    pub(crate) async fn completed(&mut self) -> (String, String, Value) {
        let completed = tokio::time::timeout(Duration::from_secs(30), self.completed.recv());
        let input = completed.await.expect("no command ends").unwrap();
        let diagnostics = serde_json::from_str(input["Diagnostics"]["Payload"].as_str().unwrap()).unwrap();
        let text = |member: &str| input[member].as_str().unwrap().to_owned();
        (text("HostCommandIdentifier"), text("CommandStatus"), diagnostics)
    }

    /// Runs a command to its end and gives its diagnostics.
    pub(crate) async fn run(&mut self, deployment: &str, command: &str) -> Value {
        self.queue(deployment, command);
        let (identifier, status, diagnostics) = self.completed().await;
        assert_eq!(identifier, format!("{deployment}/{command}"));
        assert_eq!(status == "Succeeded", diagnostics["error_code"] == 0, "{diagnostics}");
        diagnostics
    }

    /// Whether the agent called a command one that has nothing to do.
    pub(crate) fn was_noop(&self, deployment: &str, command: &str) -> bool {
        let identifier = format!("{deployment}/{command}");
        let all = self.shared.acknowledged.lock().unwrap();
        let input = all.iter().find(|input| input["HostCommandIdentifier"] == identifier.as_str()).unwrap();
        input["Diagnostics"]["Payload"] == r#"{"IsCommandNoop":true}"#
    }
}

async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    let (head, body) = read_request(&mut stream).await;
    let header = |name: &str| {
        let lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    };
    let authorization = header("authorization").unwrap_or_default();
    assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIATEST/"), "{head}");
    let path = head.split(' ').nth(1).unwrap().to_owned();
    let (status, content) = match header("x-amz-target") {
        Some(target) => {
            let operation = target.strip_prefix("CodeDeployCommandService_v20141006.").unwrap().to_owned();
            let answer = tokio::select! {
                answer = answer(&shared, &operation, serde_json::from_slice(&body).unwrap()) => answer,
                // An agent that was killed gets no command.
                _ = stream.read_u8() => return,
            };
            answer.map_or((500, b"{\"__type\":\"ServerException\"}".to_vec()), |value| (200, value.to_string().into()))
        }
        None => match shared.objects.lock().unwrap().get(&path) {
            Some(object) => (200, object.clone()),
            None => (404, b"<Error><Code>NoSuchKey</Code></Error>".to_vec()),
        },
    };
    let head = format!(
        "HTTP/1.1 {status} x\r\netag: \"e1\"\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        content.len()
    );
    // The agent may have been killed meanwhile.
    let _ = stream.write_all(&[head.as_bytes(), &content].concat()).await;
}

async fn read_request(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut bytes = vec![];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let length =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if bytes.len() >= end + 4 + length.unwrap_or(0) {
                return (head, bytes.split_off(end + 4));
            }
        }
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "a whole request");
    }
}

async fn answer(shared: &Shared, operation: &str, input: Value) -> Option<Value> {
    if operation == "PollHostCommand" {
        assert_eq!(input["HostIdentifier"], HOST);
        let command = tokio::time::timeout(Duration::from_secs(2), async {
            loop {
                if let Some(command) = shared.commands.lock().unwrap().pop_front() {
                    return command;
                }
                shared.queued.notified().await;
            }
        });
        return Some(json!({ "HostCommand": command.await.ok() }));
    }
    if let Some(left) = {
        let mut failing = shared.failing.lock().unwrap();
        failing.checked_sub(1).inspect(|left| *failing = *left)
    } {
        eprintln!("{operation} fails, {left} more will");
        return None;
    }
    Some(match operation {
        "GetDeploymentSpecification" => {
            let id = input["DeploymentExecutionId"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
            let specification = shared.specifications.lock().unwrap()[&id].clone();
            let envelope = json!({"Format": "PKCS7/JSON", "Payload": sign(specification.to_string().as_bytes())});
            json!({"DeploymentSystem": "CodeDeploy", "DeploymentSpecification": {"GenericEnvelope": envelope}})
        }
        "PutHostCommandAcknowledgement" => {
            shared.acknowledged.lock().unwrap().push(input);
            json!({"CommandStatus": "InProgress"})
        }
        "PutHostCommandComplete" => {
            let _ = shared.completed.send(input);
            json!({})
        }
        other => panic!("{other}"),
    })
}

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[tag, 0x82], &length[..], &content].concat()
}

/// A `SignedData` as small as a reader lets it be.
fn sign(content: &[u8]) -> String {
    let oid = |bytes: &[u8]| der(6, &[bytes]);
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), &random).unwrap();
    let (sequence, integer) = (0x30, der(2, &[&[1]]));
    let ec = [oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]), oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7])];
    let public = der(sequence, &[&der(sequence, &[&ec[0], &ec[1]]), &der(3, &[&[0], key.public_key().as_ref()])]);
    let nothing = der(sequence, &[]);
    let to_be_signed = der(sequence, &[&integer, &nothing, &nothing, &nothing, &nothing, &public]);
    let certificate = der(sequence, &[&to_be_signed]);
    let sha256 = der(sequence, &[&oid(&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1])]);
    let signature = der(4, &[key.sign(&random, content).unwrap().as_ref()]);
    let signer = der(sequence, &[&integer, &nothing, &sha256, &nothing, &signature]);
    let pkcs7 = |last: u8| oid(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, last]);
    let info = der(sequence, &[&pkcs7(1), &der(0xa0, &[&der(4, &[content])])]);
    let signed =
        der(sequence, &[&integer, &der(0x31, &[&sha256]), &info, &der(0xa0, &[&certificate]), &der(0x31, &[&signer])]);
    let der = der(sequence, &[&pkcs7(2), &der(0xa0, &[&signed])]);
    format!("-----BEGIN PKCS7-----\n{}\n-----END PKCS7-----\n", STANDARD.encode(der))
}
