//! awsJson 1.0 and 1.1, and the event stream: a line `SERVICE.Shape`, then a body.
//!
//! Held: an input that is taken fits its shape, is taken again as it was taken, and can be validated; what becomes a typed
//! value and wire form again stays what it is; replies and events hold what was put in.

use aws::protocol::{event_stream, json as aws_json};
use aws::{Field, Operation, Shape, validation_message};
use aws::{codebuild, codecommit, codedeploy, codepipeline, logs};
use aws_shape::{Structure, mismatches, validate};
use serde_json::{Value, json};

const SERVICES: [(&str, &[Operation]); 5] = [
    ("codebuild", codebuild::OPERATIONS),
    ("codecommit", codecommit::OPERATIONS),
    ("codedeploy", codedeploy::OPERATIONS),
    ("codepipeline", codepipeline::OPERATIONS),
    ("logs", logs::OPERATIONS),
];

/// Checks a value as one shape.
type Check = fn(&Value);

/// Shapes that have most of what shapes can have: lists of maps, structures within themselves, times, bytes, enumerations.
const TYPED: [(&str, Check); 12] = [
    ("codebuild.CreateProjectInput", typed::<codebuild::CreateProjectInput>),
    ("codebuild.StartBuildInput", typed::<codebuild::StartBuildInput>),
    ("codebuild.BatchGetBuildsOutput", typed::<codebuild::BatchGetBuildsOutput>),
    ("codecommit.CreateCommitInput", typed::<codecommit::CreateCommitInput>),
    ("codecommit.GetCommitOutput", typed::<codecommit::GetCommitOutput>),
    ("codedeploy.CreateDeploymentGroupInput", typed::<codedeploy::CreateDeploymentGroupInput>),
    ("codedeploy.GetDeploymentOutput", typed::<codedeploy::GetDeploymentOutput>),
    ("codepipeline.CreatePipelineInput", typed::<codepipeline::CreatePipelineInput>),
    ("codepipeline.GetPipelineStateOutput", typed::<codepipeline::GetPipelineStateOutput>),
    ("codepipeline.ListActionExecutionsOutput", typed::<codepipeline::ListActionExecutionsOutput>),
    ("logs.PutLogEventsInput", typed::<logs::PutLogEventsInput>),
    ("logs.FilterLogEventsOutput", typed::<logs::FilterLogEventsOutput>),
];

/// The body.
pub fn body(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (head, body) = (&data[..end], data.get(end + 1..).unwrap_or_default());
    let Ok(name) = std::str::from_utf8(head) else { return };
    if let Some((_, check)) = TYPED.iter().find(|(typed, _)| *typed == name)
        && let Ok(value) = serde_json::from_slice(body)
    {
        check(&value);
    }
    let Some((service, operation)) = name.split_once('.') else { return };
    let Some((_, operations)) = SERVICES.iter().find(|(known, _)| *known == service) else { return };
    let found = operations.iter().find(|one| operation.strip_suffix("Input").unwrap_or(operation) == one.name);
    if let Some(operation) = found {
        input(operation.input, body);
        output(operation, body);
    }
}

fn input(shape: &Shape, body: &[u8]) {
    match aws_json::decode(shape, body) {
        Ok(value) => {
            assert_eq!(mismatches(shape, &value), None);
            assert_eq!(aws_json::decode(shape, value.to_string().as_bytes()).unwrap(), value);
            let message = validation_message(&validate(shape, &value));
            assert!(message.len() <= 2_000 + 400 * body.len(), "{} bytes about {}", message.len(), body.len());
        }
        Err(error) => assert_eq!((error.code.as_str(), error.status), ("SerializationException", 400)),
    }
}

fn output(operation: &Operation, body: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(body) else { return };
    let reply = aws_json::encode(operation, "1.1", &value);
    if operation.has_output {
        assert_eq!(serde_json::from_slice::<Value>(&reply.body).unwrap(), value);
    }
    let event = json!({"sessionUpdate": value});
    assert_eq!(payload(&event_stream::encode("1.1", &event)), value);
}

fn typed<T: Field + Structure + PartialEq + std::fmt::Debug>(value: &Value) {
    let read = T::read(value.clone());
    if let Err(mismatch) = &read {
        // Base64 is not looked at before it is read.
        assert!(mismatches(T::SHAPE, value).is_some() || mismatch.expected == "base64 text", "{mismatch}");
        return;
    }
    let read = read.unwrap();
    let written = read.write();
    assert_eq!(mismatches(T::SHAPE, &written), None);
    assert_eq!(T::read(written).as_ref(), Ok(&read));
    let _ = format!("{read:?}");
}

/// The payload of an event's frame, both checksums proved.
fn payload(frame: &[u8]) -> Value {
    let number = |at: usize| u32::from_be_bytes(frame[at..at + 4].try_into().unwrap());
    let (end, headers) = (frame.len() - 4, number(4) as usize);
    assert_eq!(number(0) as usize, frame.len());
    assert_eq!((number(8), number(end)), (crc32fast::hash(&frame[..8]), crc32fast::hash(&frame[..end])));
    serde_json::from_slice(&frame[12 + headers..end]).unwrap()
}
