//! The stages of a request, by where time is spent, for those who trace it. A
//! binary without the feature `otlp` forgets them at once.

#[cfg(not(feature = "otlp"))]
pub use forgotten::Steps;
#[cfg(feature = "otlp")]
pub use kept::Steps;

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Who may call what.
    Authorize,
    /// What was sent, and what it becomes.
    Validate,
    /// The intent, written down before anything is sent (`audit.mode: strict`).
    Record,
    /// The credential, and what has to be fetched for it.
    Inject,
    /// The upstream.
    Forward,
    /// The guard, and what the answer becomes; and the body, where it passes as it arrives.
    Answer,
}

#[cfg(feature = "otlp")]
mod kept {
    use std::time::SystemTime;

    use tokio::time::Instant;

    use super::Stage;

    /// When each of them began.
    #[derive(Default)]
    pub struct Steps(Vec<(Stage, Instant)>);

    impl Steps {
        /// One begins, and the one before it ends.
        pub fn enter(&mut self, stage: Stage) {
            self.0.push((stage, Instant::now()));
        }

        /// From when until when each of them was, in a request that began and ended then.
        pub fn times(&self, from: SystemTime, until: SystemTime) -> Vec<(Stage, (SystemTime, SystemTime))> {
            let Some((_, first)) = self.0.first() else { return Vec::new() };
            let begun = |at: &Instant| from + at.duration_since(*first);
            let ends = self.0.iter().skip(1).map(|(_, at)| begun(at)).chain([until]);
            self.0.iter().zip(ends).map(|((stage, at), end)| (*stage, (begun(at), end))).collect()
        }
    }

    impl Stage {
        /// The name of its span.
        pub fn name(self) -> &'static str {
            match self {
                Self::Authorize => "authorize",
                Self::Validate => "validate",
                Self::Record => "record",
                Self::Inject => "inject",
                Self::Forward => "forward",
                Self::Answer => "answer",
            }
        }
    }
}

#[cfg(not(feature = "otlp"))]
mod forgotten {
    use super::Stage;

    /// Nobody wants to know.
    #[derive(Default)]
    pub struct Steps {}

    impl Steps {
        /// One begins, and the one before it ends.
        pub fn enter(&mut self, _: Stage) {}
    }
}
