//! Why a pipeline's structure is refused.

/// A broken rule. The variants are AWS's four exception shapes; the text is the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Invalid {
    /// Which exception.
    pub kind: InvalidKind,
    /// What is wrong, where, and what would be right.
    pub text: String,
}

/// AWS's exception shapes for broken structures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidKind {
    /// `InvalidStructureException`.
    Structure,
    /// `InvalidStageDeclarationException`.
    Stage,
    /// `InvalidActionDeclarationException`.
    Action,
    /// `InvalidBlockerDeclarationException`.
    Blocker,
}

impl Invalid {
    pub(super) fn structure(text: impl Into<String>) -> Self {
        Self { kind: InvalidKind::Structure, text: text.into() }
    }

    pub(super) fn stage(text: impl Into<String>) -> Self {
        Self { kind: InvalidKind::Stage, text: text.into() }
    }

    pub(super) fn action(text: impl Into<String>) -> Self {
        Self { kind: InvalidKind::Action, text: text.into() }
    }

    pub(super) fn blocker(text: impl Into<String>) -> Self {
        Self { kind: InvalidKind::Blocker, text: text.into() }
    }
}
