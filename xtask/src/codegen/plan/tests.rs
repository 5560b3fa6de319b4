use super::*;
use serde_json::json;

/// A model with these operations and shapes.
fn model(operations: &Value, shapes: &Value) -> Model {
    let metadata = json!({"apiVersion": "2020-01-01", "endpointPrefix": "x", "protocol": "json"});
    serde_json::from_value(json!({"metadata": metadata, "operations": operations, "shapes": shapes})).unwrap()
}

fn stream_of(output: &Value) -> Model {
    let operations = json!({"Tail": {"input": {"shape": "TailRequest"}, "output": {"shape": "TailResponse"}}});
    let shapes = json!({
        "Text": {"type": "string"},
        "TailRequest": {"type": "structure", "members": {"name": {"shape": "Text"}}, "required": ["name"]},
        "TailResponse": output,
        "TailEvents": {"type": "structure", "eventstream": true, "members": {
            "line": {"shape": "Line"}, "TimeoutException": {"shape": "TimeoutException"},
        }},
        "Line": {"type": "structure", "event": true, "members": {"text": {"shape": "Text"}}},
        "TimeoutException": {"type": "structure", "exception": true, "members": {"message": {"shape": "Text"}}},
    });
    model(&operations, &shapes)
}

#[test]
fn an_event_stream_is_planned_as_its_events() {
    let model = stream_of(&json!({"type": "structure", "members": {"events": {"shape": "TailEvents"}}}));
    let plan = plan("x", "X", &model, None).unwrap();
    let operation = plan.operations.first().unwrap();
    assert!(operation.reply == Reply::Events);
    assert_eq!((operation.input.as_str(), operation.output.as_str()), ("TailInput", "TailEvents"));
    let structures: Vec<&str> = plan.structures.iter().map(|structure| structure.rust.as_str()).collect();
    assert_eq!(structures, ["Line", "TailEvents", "TailInput"], "the errors are none of the events");
    let events = plan.structures.iter().find(|structure| structure.rust == "TailEvents").unwrap();
    assert_eq!(events.members.iter().map(|member| member.wire.as_str()).collect::<Vec<_>>(), ["line"]);
    let errors: Vec<&str> = plan.errors.iter().map(|error| error.code.as_str()).collect();
    assert_eq!(errors, ["TimeoutException"], "with which the stream may end");
}

#[test]
fn members_beside_an_event_stream_are_refused() {
    let members = json!({"events": {"shape": "TailEvents"}, "id": {"shape": "Text"}});
    let model = stream_of(&json!({"type": "structure", "members": members}));
    let error = plan("x", "X", &model, None).map(drop).unwrap_err();
    assert!(error.to_string().contains("beside an event stream"), "{error}");
}

#[test]
fn outputs_are_bodies_or_nothing() {
    let operations = json!({"Get": {"output": {"shape": "GetResponse"}}, "Put": {}});
    let shapes = json!({
        "GetResponse": {"type": "structure", "members": {"self": {"shape": "GetResponse"}, "names": {"shape": "Names"}}},
        "Names": {"type": "list", "member": {"shape": "Name"}},
        "Name": {"type": "string", "enum": ["a", "b"]},
    });
    let model = model(&operations, &shapes);
    let plan = plan("x", "X", &model, None).unwrap();
    let replies: Vec<_> = plan.operations.iter().map(|operation| operation.reply == Reply::Body).collect();
    assert_eq!(replies, [true, false]);
    let get = plan.structures.iter().find(|structure| structure.rust == "GetOutput").unwrap();
    let types: Vec<&str> = get.members.iter().map(|member| member.rust_type.as_str()).collect();
    assert_eq!(types, ["Vec<String>", "Box<GetOutput>"], "what holds itself is boxed");
    assert_eq!(plan.enums.keys().collect::<Vec<_>>(), ["name"]);
    assert!(super::plan("x", "X", &model, Some(&["Nothing".to_owned()])).is_err());
}
