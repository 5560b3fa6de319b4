//! CodeCommit's own errors for what does not satisfy its model: one shape per member and kind of fault.

use aws::{Constraint, Error, Violation};

/// The shapes of a member: missing, and malformed.
struct Shapes {
    member: &'static str,
    missing: &'static str,
    invalid: &'static str,
}

const fn shapes(member: &'static str, missing: &'static str, invalid: &'static str) -> Shapes {
    Shapes { member, missing, invalid }
}

/// From the model's documentation of each operation's errors.
const MEMBERS: &[Shapes] = &[
    shapes("repositoryName", "RepositoryNameRequiredException", "InvalidRepositoryNameException"),
    shapes("repositoryNames", "RepositoryNamesRequiredException", "InvalidRepositoryNameException"),
    shapes("newName", "RepositoryNameRequiredException", "InvalidRepositoryNameException"),
    shapes("oldName", "RepositoryNameRequiredException", "InvalidRepositoryNameException"),
    shapes("repositoryDescription", "InvalidRepositoryDescriptionException", "InvalidRepositoryDescriptionException"),
    shapes("branchName", "BranchNameRequiredException", "InvalidBranchNameException"),
    shapes("defaultBranchName", "BranchNameRequiredException", "InvalidBranchNameException"),
    shapes("commitId", "CommitIdRequiredException", "InvalidCommitIdException"),
    shapes("commitSpecifier", "CommitRequiredException", "InvalidCommitException"),
    shapes("blobId", "BlobIdRequiredException", "InvalidBlobIdException"),
    shapes("filePath", "PathRequiredException", "InvalidPathException"),
    shapes("folderPath", "PathRequiredException", "InvalidPathException"),
    shapes("nextToken", "InvalidContinuationTokenException", "InvalidContinuationTokenException"),
    shapes("order", "InvalidOrderException", "InvalidOrderException"),
    shapes("sortBy", "InvalidSortByException", "InvalidSortByException"),
    shapes("resourceArn", "ResourceArnRequiredException", "InvalidResourceArnException"),
    shapes("tags", "TagsMapRequiredException", "InvalidTagsMapException"),
    shapes("tagKeys", "TagKeysListRequiredException", "InvalidTagKeysListException"),
];

/// The error for the first of `violations`.
pub fn violation(_operation: &str, violations: &[Violation]) -> Error {
    let message = aws::validation_message(violations);
    let known = violations.iter().find_map(|violation| code(violation).map(|code| Error::new(code, &*message)));
    known.unwrap_or_else(|| Error::new("ValidationException", message))
}

fn code(violation: &Violation) -> Option<&'static str> {
    let member = violation.path.split('.').next().unwrap_or_default();
    let shapes = MEMBERS.iter().find(|shapes| shapes.member == member)?;
    let missing = violation.constraint == Constraint::NotNull && violation.path == member;
    Some(if missing { shapes.missing } else { shapes.invalid })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_member_has_its_own_shapes() {
        let table = [
            ("repositoryName", Constraint::NotNull, "RepositoryNameRequiredException"),
            ("repositoryName", Constraint::MaximumLength(100.0), "InvalidRepositoryNameException"),
            ("repositoryNames.1.member", Constraint::MinimumLength(1.0), "InvalidRepositoryNameException"),
            ("order", Constraint::Values(&["ascending"]), "InvalidOrderException"),
            ("somethingElse", Constraint::NotNull, "ValidationException"),
        ];
        for (path, constraint, expected) in table {
            let violation = Violation { path: path.to_owned(), value: None, constraint };
            assert!(super::violation("GetRepository", &[violation]).is(expected), "{path}");
        }
    }
}
