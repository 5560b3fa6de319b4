//! AWS's JSON and query protocols: find the service and operation, authenticate, call.

use super::Origin;
use super::reply::{self, Body};
use super::whole::Room;
use crate::operator;
use crate::serve::Services;
use aws::protocol::{Reply, event_stream, json, query};
use aws::{Answer, Dispatch, Error, EventStream, Model, Protocol};
use futures::StreamExt as _;
use http::request::Parts;
use http::{Request, Response};
use hyper::body::Incoming;
use kernel::Caller;
use percent_encoding::percent_decode_str;
use serde_json::Value;

/// Where the requests of these protocols are read.
static ROOM: Room = Room::new();

/// What a request asks for.
enum Called<'r> {
    /// An operation of a served service.
    Service { service: &'r dyn Dispatch, operation: String },
    /// The protocol of CodeDeploy's host agents.
    HostCommand { operation: String },
    /// An operation that AWS has and this version has not.
    NotBuilt { model: &'static Model, operation: String },
}

/// What a call comes to.
enum Answered {
    Whole(Reply),
    Events { version: &'static str, events: EventStream<Value> },
}

/// Answers one call; `signed_for` is the signing name of its scope, or empty.
pub(super) async fn answer(
    services: &Services,
    request: Request<Incoming>,
    signed_for: &str,
    from: &Origin<'_>,
) -> Response<Body> {
    let request_id = from.request_id;
    let (parts, body) = request.into_parts();
    let speaks = protocol(&parts, signed_for);
    let answered = async {
        let whole = ROOM.read(body).await?;
        let body = &whole.bytes;
        let form = query_form(&parts, body);
        // Who asks comes before what: a stranger learns nothing of the API.
        let caller = services.authenticator.authenticate(&parts, body, request_id, from.source_ip).await?;
        let caller = from.of(caller);
        let called = called(services, &parts, &form, signed_for)?;
        call(services, &caller, called, &form, body, request_id).await
    };
    match answered.await {
        Ok(Answered::Whole(whole)) => reply::api(whole),
        Ok(Answered::Events { version, events }) => {
            let first = futures::stream::once(std::future::ready(event_stream::initial_response(version)));
            let frames = first.chain(events.map(move |event| match event {
                Ok(event) => event_stream::encode(version, &event),
                Err(error) => event_stream::error(version, &error),
            }));
            from.ends.reply(event_stream::CONTENT_TYPE, frames)
        }
        Err(error) => reply::api(refuse(speaks, &error, request_id)),
    }
}

/// Answers one call of [`operator`], in JSON.
pub(super) async fn answer_operator(
    services: &Services,
    request: Request<Incoming>,
    operation: &str,
    from: &Origin<'_>,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let answered = async {
        let whole = ROOM.read(body).await?;
        let body = &whole.bytes;
        let caller = services.authenticator.authenticate(&parts, body, from.request_id, from.source_ip).await?;
        let caller = from.of(caller);
        let output = tokio::time::timeout(operator::LONGEST, operator::call(services, &caller, operation, body));
        output.await.map_err(Error::internal)?
    };
    reply::api(match answered.await {
        Ok(output) => Reply {
            status: 200,
            content_type: "application/json".to_owned(),
            error_type: None,
            body: output.to_string().into(),
        },
        Err(error) => json::error("1.1", &error),
    })
}

async fn call(
    services: &Services,
    caller: &Caller,
    called: Called<'_>,
    form: &query::Form,
    body: &[u8],
    request_id: &str,
) -> Result<Answered, Error> {
    match called {
        Called::NotBuilt { model, operation } => Err(aws::not_implemented(model, &operation)),
        Called::HostCommand { operation } => {
            let body = aws::codedeploy_commands::dispatch(&services.host_commands, caller, &operation, body).await?;
            Ok(Answered::Whole(Reply {
                status: 200,
                content_type: "application/x-amz-json-1.1".to_owned(),
                error_type: None,
                body: body.into(),
            }))
        }
        Called::Service { service, operation } => {
            let Some(table) = service.operation(&operation) else {
                return Err(aws::not_implemented(service.model(), &operation));
            };
            let input = match service.model().protocol {
                Protocol::Query { .. } => query::decode(table.input, form)?,
                _ => json::decode(table.input, body)?,
            };
            let protocol = service.model().protocol;
            let output = match service.dispatch(table.name, caller, input).await? {
                Answer::Output(output) => output,
                Answer::Events(events) => {
                    let version = if let Protocol::Json { version } = protocol { version } else { "1.1" };
                    return Ok(Answered::Events { version, events });
                }
            };
            Ok(Answered::Whole(match protocol {
                Protocol::Query { namespace, .. } => query::encode(table, namespace, &output.value(), request_id),
                Protocol::Json { version } => json::encode(table, version, &*output),
                Protocol::RestJson => json::encode(table, "1.1", &*output),
            }))
        }
    }
}

/// The protocol that an error must be written in, known before anything else is.
fn protocol(parts: &Parts, signed_for: &str) -> Protocol {
    let known = aws::catalogue::SERVICES.iter().find(|model| model.signing_name == signed_for);
    match (target(parts), known) {
        (Some(_), Some(model)) if matches!(model.protocol, Protocol::Json { .. }) => model.protocol,
        (Some(_), _) => Protocol::Json { version: "1.1" },
        (None, Some(model)) => model.protocol,
        (None, None) => Protocol::Query { namespace: "", api_version: "" },
    }
}

fn refuse(protocol: Protocol, error: &Error, request_id: &str) -> Reply {
    match protocol {
        Protocol::Query { namespace, .. } => query::error(namespace, error, request_id),
        Protocol::Json { version } => json::error(version, error),
        Protocol::RestJson => json::error("1.1", error),
    }
}

fn target(parts: &Parts) -> Option<&str> {
    parts.headers.get("x-amz-target")?.to_str().ok()
}

/// Finds what is called: by target for JSON, by signing name and `Action` for query.
fn called<'r>(
    services: &'r Services,
    parts: &Parts,
    form: &query::Form,
    signed_for: &str,
) -> Result<Called<'r>, Error> {
    let unknown = |what: &str| {
        Error::modelled("UnknownOperationException", 404, format!("{what} is no operation that AWS's API knows."))
    };
    if let Some(target) = target(parts) {
        if let Some(operation) = aws::codedeploy_commands::operation(target) {
            return Ok(Called::HostCommand { operation: operation.to_owned() });
        }
        let found = aws::catalogue::SERVICES.iter().find_map(|model| {
            Some((*model, json::operation(target, model.target_prefix).filter(|_| !model.target_prefix.is_empty())?))
        });
        let (model, operation) = found.ok_or_else(|| unknown(&format!("The target '{target}'")))?;
        return find(services, model, operation).ok_or_else(|| unknown(&format!("{}:{operation}", model.id)));
    }
    let action = form.get("Action").map(String::as_str).unwrap_or_default();
    let model = aws::catalogue::SERVICES
        .iter()
        .find(|model| model.signing_name == signed_for)
        .ok_or_else(|| unknown(&format!("The service '{signed_for}'")))?;
    if action.is_empty() {
        return Err(Error::modelled(
            "MissingAction",
            400,
            "The request must name an operation, in the header X-Amz-Target or the field Action.",
        ));
    }
    find(services, model, action).ok_or_else(|| {
        Error::modelled("InvalidAction", 400, format!("Could not find operation {action} of {}.", model.id))
    })
}

fn find<'r>(services: &'r Services, model: &'static Model, operation: &str) -> Option<Called<'r>> {
    let known = model.operations.contains(&operation);
    let operation = operation.to_owned();
    known.then(|| match services.api.iter().find(|service| service.model().id == model.id) {
        Some(service) => Called::Service { service: &**service, operation },
        None => Called::NotBuilt { model, operation },
    })
}

/// The fields of a query call, from the body or, for a GET, from the URI.
fn query_form(parts: &Parts, body: &[u8]) -> query::Form {
    if target(parts).is_some() {
        return query::Form::new();
    }
    let body = std::str::from_utf8(body).unwrap_or_default();
    let text = if body.is_empty() { parts.uri.query().unwrap_or_default() } else { body };
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    text.split('&')
        .filter(|field| !field.is_empty())
        .map(|field| field.split_once('=').unwrap_or((field, "")))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}
