//! The states of executions, stages and actions, in the two vocabularies that AWS uses: API responses
//! (`Cancelled`) and EventBridge details (`CANCELED`). Source: CodePipeline's API model and its "detail-type" table.

use serde::{Deserialize, Serialize};

macro_rules! statuses {
    ($(#[$doc:meta])* $name:ident { $($variant:ident => $event:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[expect(missing_docs, reason = "the variants are AWS's own words, explained where the rules use them")]
        pub enum $name { $($variant),+ }

        impl $name {
            /// The word in API responses.
            #[must_use]
            pub const fn api(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant)),+ }
            }

            /// The word in the `state` field of EventBridge details.
            #[must_use]
            pub const fn event(self) -> &'static str {
                match self { $(Self::$variant => $event),+ }
            }
        }
    };
}

statuses! {
    /// Status of a pipeline execution.
    ExecutionStatus {
        InProgress => "STARTED",
        Stopping => "STOPPING",
        Stopped => "STOPPED",
        Succeeded => "SUCCEEDED",
        Superseded => "SUPERSEDED",
        Failed => "FAILED",
        Cancelled => "CANCELED",
    }
}

statuses! {
    /// Status of one execution in one stage.
    StageStatus {
        InProgress => "STARTED",
        Stopping => "STOPPING",
        Stopped => "STOPPED",
        Succeeded => "SUCCEEDED",
        Failed => "FAILED",
        Cancelled => "CANCELED",
    }
}

statuses! {
    /// Status of one action execution.
    ActionStatus {
        InProgress => "STARTED",
        Succeeded => "SUCCEEDED",
        Failed => "FAILED",
        Abandoned => "ABANDONED",
    }
}

impl ExecutionStatus {
    /// Whether the execution still moves, or may still move.
    #[must_use]
    pub const fn is_active(self) -> bool {
        matches!(self, Self::InProgress | Self::Stopping)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn api_and_event_spell_cancelled_differently() {
        assert_eq!(ExecutionStatus::Cancelled.api(), "Cancelled");
        assert_eq!(ExecutionStatus::Cancelled.event(), "CANCELED");
        assert_eq!(StageStatus::Cancelled.event(), "CANCELED");
        assert_eq!(ActionStatus::Abandoned.api(), "Abandoned");
    }

    #[test]
    fn only_in_progress_and_stopping_executions_are_active() {
        assert!(ExecutionStatus::InProgress.is_active());
        assert!(ExecutionStatus::Stopping.is_active());
        for over in [ExecutionStatus::Stopped, ExecutionStatus::Superseded, ExecutionStatus::Cancelled] {
            assert!(!over.is_active(), "{over:?}");
        }
    }
}
