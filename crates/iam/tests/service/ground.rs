//! An iam service on a store of its own, with a clock that stands still.

use aws::iam::Iam;
use iam::{Authenticator, Dependencies, Mode, Service};
use kernel::{Caller, Credentials, ManualClock, Scope, Seal, Store, SystemIds, Timestamp};
use sigv4::{AmzDate, Payload, Request, Signer};
use std::sync::Arc;

/// The default account.
pub(crate) const ACCOUNT: &str = "000000000000";
/// The time of the tests: 2015-08-30T12:36:00Z.
pub(crate) const NOW: i64 = 1_440_938_160;

pub(crate) struct Ground {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) clock: ManualClock,
    pub(crate) service: Arc<Service>,
    pub(crate) door: Arc<Authenticator>,
    _store: Arc<Store>,
}

impl Ground {
    pub(crate) async fn new(mode: Mode) -> Self {
        Self::in_folder(tempfile::tempdir().unwrap(), mode).await
    }

    /// A server's start on a data folder.
    pub(crate) async fn in_folder(folder: tempfile::TempDir, mode: Mode) -> Self {
        let clock = ManualClock::at(Timestamp::from_seconds(NOW));
        let store = Store::open(folder.path(), Arc::new(clock.clone())).unwrap();
        let service = Service::new(Dependencies {
            documents: store.service("iam"),
            seal: Arc::new(Seal::in_folder(folder.path()).unwrap()),
            clock: Arc::new(clock.clone()),
            ids: Arc::new(SystemIds),
            mode,
            defaults: Scope::new(ACCOUNT, "us-east-1"),
        });
        service.ensure_root_key(folder.path()).await.unwrap();
        let door = service.authenticator();
        Self { folder, clock, service, door, _store: store }
    }

    pub(crate) fn clock_now(&self) -> Timestamp {
        kernel::Clock::now(&self.clock)
    }

    /// Stops the server; its folder stays.
    pub(crate) fn stop(self) -> tempfile::TempDir {
        self.folder
    }

    /// The key in `DIR/root-credentials`.
    pub(crate) fn root_key(&self) -> Credentials {
        let text = std::fs::read_to_string(self.folder.path().join("root-credentials")).unwrap();
        let value = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_once(" = ").unwrap().1.to_owned()
        };
        key(&value("aws_access_key_id"), &value("aws_secret_access_key"))
    }

    /// A new user's key.
    pub(crate) async fn user_key(&self, name: &str) -> Credentials {
        let user = aws::iam::CreateUserInput { user_name: Some(name.into()), ..Default::default() };
        self.service.create_user(&root(), user).await.unwrap();
        let input = aws::iam::CreateAccessKeyInput { user_name: Some(name.into()) };
        let made = self.service.create_access_key(&root(), input).await.unwrap().access_key.unwrap();
        key(&made.access_key_id.unwrap(), &made.secret_access_key.unwrap())
    }

    /// Creates a role with a trust policy of one principal.
    pub(crate) async fn role(&self, name: &str, principal: &str) {
        let trust = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{principal},"Action":"sts:AssumeRole"}}]}}"#
        );
        let input = aws::iam::CreateRoleInput {
            role_name: Some(name.into()),
            assume_role_policy_document: Some(trust),
            ..Default::default()
        };
        self.service.create_role(&root(), input).await.unwrap();
    }

    /// Puts the inline policy `p` of these statements on a role.
    pub(crate) async fn put_role_policy(&self, role: &str, statements: &str) {
        let input = aws::iam::PutRolePolicyInput {
            role_name: Some(role.into()),
            policy_name: Some("p".into()),
            policy_document: Some(policy(statements)),
        };
        self.service.put_role_policy(&root(), input).await.unwrap();
    }

    /// Puts the inline policy `p` of these statements on a user.
    pub(crate) async fn put_user_policy(&self, user: &str, statements: &str) {
        let input = aws::iam::PutUserPolicyInput {
            user_name: Some(user.into()),
            policy_name: Some("p".into()),
            policy_document: Some(policy(statements)),
        };
        self.service.put_user_policy(&root(), input).await.unwrap();
    }

    /// Calls the door with a request that is signed now.
    pub(crate) async fn call(&self, key: &Credentials, service: &str) -> Result<Caller, aws::Error> {
        self.call_at(key, service, 0).await
    }

    /// Calls the door with a request that was signed `offset` seconds from now.
    pub(crate) async fn call_at(&self, key: &Credentials, service: &str, offset: i64) -> Result<Caller, aws::Error> {
        let parts = signed(key, service, NOW + offset, b"{}");
        self.door.authenticate(&parts, b"{}", "request-1", Some("127.0.0.1")).await
    }
}

/// A policy document.
pub(crate) fn policy(statements: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#)
}

/// The key of STS's answer.
pub(crate) fn temporary(given: aws::sts::Credentials) -> Credentials {
    Credentials {
        access_key_id: given.access_key_id.unwrap(),
        secret_access_key: given.secret_access_key.unwrap(),
        session_token: given.session_token,
        expiration: given.expiration,
    }
}

pub(crate) fn root() -> Caller {
    Caller::root(&Scope::new(ACCOUNT, "us-east-1"), "test")
}

pub(crate) fn key(id: &str, secret: &str) -> Credentials {
    Credentials { access_key_id: id.into(), secret_access_key: secret.into(), session_token: None, expiration: None }
}

pub(crate) fn sigv4_credentials(key: &Credentials) -> sigv4::Credentials<'_> {
    sigv4::Credentials {
        access_key_id: &key.access_key_id,
        secret_access_key: &key.secret_access_key,
        session_token: key.session_token.as_deref(),
    }
}

/// A JSON call, signed.
pub(crate) fn signed(key: &Credentials, service: &str, time: i64, body: &[u8]) -> http::request::Parts {
    let time = AmzDate::from_epoch_seconds(time);
    let signer = Signer { credentials: sigv4_credentials(key), region: "eu-west-1", service, time };
    let headers: &[(&str, &[u8])] =
        &[("host", b"127.0.0.1:4566"), ("x-amz-target", b"CodeBuild_20161006.ListProjects")];
    let added = signer.sign_headers(&Request::new("POST", "/", headers), &Payload::of(body));
    let mut request = http::Request::post("/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    for (name, value) in added {
        request = request.header(name, value);
    }
    request.body(()).unwrap().into_parts().0
}
