//! The services with their operation tables and authorization rows: what the binary
//! dispatches, and so what `landfall api coverage` tells.

use aws::{Authorization, Gate, Guard, Model, Operation};

/// One generated service that this binary serves.
pub(crate) struct Served {
    pub(crate) model: &'static Model,
    operations: &'static [Operation],
    rows: &'static [Authorization],
}

macro_rules! served {
    ($($name:ident: $service:ident, $rows:expr;)*) => {
        $(pub(crate) static $name: Served =
            Served { model: &aws::$service::MODEL, operations: aws::$service::OPERATIONS, rows: $rows };)*
        static SERVED: &[&Served] = &[$(&$name),*];
    };
}

served! {
    CODEBUILD: codebuild, codebuild::AUTHORIZATION;
    CODECOMMIT: codecommit, codecommit::AUTHORIZATION;
    CODEDEPLOY: codedeploy, codedeploy::AUTHORIZATION;
    CODEPIPELINE: codepipeline, codepipeline::AUTHORIZATION;
    IAM: iam, iam::IAM_AUTHORIZATION;
    LOGS: logs, logs::AUTHORIZATION;
    STS: sts, iam::STS_AUTHORIZATION;
}

impl Served {
    /// The service's gate; refuses to be made where a row names no operation.
    pub(super) fn gate(&self, guard: &Guard) -> anyhow::Result<Gate> {
        Gate::new(self.model, self.operations, self.rows, guard.clone()).map_err(anyhow::Error::msg)
    }
}

/// One line of the coverage list.
pub(crate) struct Coverage {
    pub(crate) service: &'static str,
    /// How many operations AWS's model has.
    pub(crate) model: usize,
    /// Those that are built.
    pub(crate) built: Vec<&'static str>,
}

/// Every service of the catalogue, built or not, and S3, by name.
pub(crate) fn coverage() -> Vec<Coverage> {
    let mut rows: Vec<_> = aws::catalogue::SERVICES
        .iter()
        .map(|model| Coverage { service: model.id, model: model.operations.len(), built: built(model) })
        .collect();
    rows.push(Coverage { service: "s3", model: s3::MODELLED_OPERATIONS, built: s3::BUILT_OPERATIONS.to_vec() });
    rows.sort_by_key(|row| row.service);
    rows
}

fn built(model: &Model) -> Vec<&'static str> {
    let rows = SERVED.iter().find(|served| served.model.id == model.id).map_or(&[][..], |served| served.rows);
    let mut names: Vec<_> = rows.iter().map(|row| row.operation).collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_names_an_operation_once() {
        for served in SERVED {
            let mut names: Vec<_> = served.rows.iter().map(|row| row.operation).collect();
            names.sort_unstable();
            let count = names.len();
            names.dedup();
            assert_eq!(names.len(), count, "{}: an operation has two rows", served.model.id);
            for name in names {
                let known = served.operations.iter().any(|operation| operation.name == name);
                assert!(known, "{}: {name} has a row but no types", served.model.id);
            }
        }
    }
}
