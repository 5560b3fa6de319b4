//! What each built operation needs to be allowed. Source: IAM's service authorization reference, "AWS CodePipeline".

use aws::authorization::{row, text};
use aws::{Authorization, Passing};
use kernel::Caller;
use serde_json::Value;

use crate::model::pipeline_arn;

/// The rows, one for each built operation.
pub static AUTHORIZATION: &[Authorization] = &[
    row("CreatePipeline", "codepipeline:CreatePipeline", declared),
    row("DeletePipeline", "codepipeline:DeletePipeline", named),
    row("DisableStageTransition", "codepipeline:DisableStageTransition", stage),
    row("EnableStageTransition", "codepipeline:EnableStageTransition", stage),
    row("GetPipeline", "codepipeline:GetPipeline", named),
    row("GetPipelineExecution", "codepipeline:GetPipelineExecution", of_pipeline),
    row("GetPipelineState", "codepipeline:GetPipelineState", named),
    row("ListActionExecutions", "codepipeline:ListActionExecutions", of_pipeline),
    row("ListActionTypes", "codepipeline:ListActionTypes", any),
    row("ListPipelineExecutions", "codepipeline:ListPipelineExecutions", of_pipeline),
    row("ListPipelines", "codepipeline:ListPipelines", any),
    row("ListTagsForResource", "codepipeline:ListTagsForResource", tagged),
    row("PutApprovalResult", "codepipeline:PutApprovalResult", action),
    row("RetryStageExecution", "codepipeline:RetryStageExecution", stage),
    row("RollbackStage", "codepipeline:RollbackStage", stage),
    row("StartPipelineExecution", "codepipeline:StartPipelineExecution", named),
    row("StopPipelineExecution", "codepipeline:StopPipelineExecution", of_pipeline),
    row("TagResource", "codepipeline:TagResource", tagged),
    row("UntagResource", "codepipeline:UntagResource", tagged),
    row("UpdatePipeline", "codepipeline:UpdatePipeline", declared),
];

/// The service roles that calls give to pipelines. The role of an action is not among them: the pipeline's takes it, if its
/// trust policy lets it.
pub static PASSING: Passing = Passing {
    service: "codepipeline.amazonaws.com",
    roles: |operation, input| match operation {
        "CreatePipeline" | "UpdatePipeline" => vec![text(&input["pipeline"], "roleArn").to_owned()],
        _ => Vec::new(),
    },
};

fn named(caller: &Caller, input: &Value) -> Vec<String> {
    vec![pipeline_arn(&caller.scope(), text(input, "name"))]
}

fn of_pipeline(caller: &Caller, input: &Value) -> Vec<String> {
    vec![pipeline_arn(&caller.scope(), text(input, "pipelineName"))]
}

fn stage(caller: &Caller, input: &Value) -> Vec<String> {
    let pipeline = pipeline_arn(&caller.scope(), text(input, "pipelineName"));
    vec![format!("{pipeline}/{}", text(input, "stageName"))]
}

fn action(caller: &Caller, input: &Value) -> Vec<String> {
    let of_stage = stage(caller, input).into_iter();
    of_stage.map(|stage| format!("{stage}/{}", text(input, "actionName"))).collect()
}

fn tagged(_: &Caller, input: &Value) -> Vec<String> {
    vec![text(input, "resourceArn").to_owned()]
}

fn declared(caller: &Caller, input: &Value) -> Vec<String> {
    vec![pipeline_arn(&caller.scope(), text(&input["pipeline"], "name"))]
}

fn any(_: &Caller, _: &Value) -> Vec<String> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use kernel::Scope;
    use serde_json::json;

    use super::*;

    #[test]
    fn each_operation_names_the_pipeline_that_it_touches() {
        let caller = Caller::root(&Scope::new("111122223333", "eu-west-1"), "r");
        let input = json!({"name": "a", "pipelineName": "b", "stageName": "S", "actionName": "A",
                           "pipeline": {"name": "c"}, "resourceArn": "arn:aws:codepipeline:eu-west-1:111122223333:d"});
        for (operation, pipeline) in [
            ("CreatePipeline", "c"),
            ("UpdatePipeline", "c"),
            ("GetPipeline", "a"),
            ("StartPipelineExecution", "a"),
            ("StopPipelineExecution", "b"),
            ("ListActionExecutions", "b"),
            ("RetryStageExecution", "b/S"),
            ("DisableStageTransition", "b/S"),
            ("PutApprovalResult", "b/S/A"),
            ("TagResource", "d"),
        ] {
            let row = AUTHORIZATION.iter().find(|row| row.operation == operation).unwrap();
            let expected = format!("arn:aws:codepipeline:eu-west-1:111122223333:{pipeline}");
            assert_eq!((row.resources)(&caller, &input), [expected], "{operation}");
            assert_eq!(row.action, format!("codepipeline:{operation}"));
        }
    }

    #[test]
    fn a_pipelines_role_is_handed_over() {
        let input = json!({"pipeline": {"name": "c", "roleArn": "arn:aws:iam::111122223333:role/r"}});
        for (operation, roles) in [("CreatePipeline", 1), ("UpdatePipeline", 1), ("GetPipeline", 0)] {
            assert_eq!(
                (PASSING.roles)(operation, &input),
                vec!["arn:aws:iam::111122223333:role/r"; roles],
                "{operation}"
            );
        }
    }
}
