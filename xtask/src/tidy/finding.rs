//! What a check says when it finds something.

use std::fmt;

/// One offence: where, against which rule, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Path from the workspace's root.
    pub(crate) file: String,
    /// Line, counted from one; `None` where the whole file is meant.
    pub(crate) line: Option<usize>,
    /// The check that found it.
    pub(crate) rule: &'static str,
    /// What is wrong and what to do.
    pub(crate) what: String,
}

impl Finding {
    pub(crate) fn in_file(file: &str, rule: &'static str, what: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
            rule,
            what: what.into(),
        }
    }

    pub(crate) fn at(file: &str, line: usize, rule: &'static str, what: impl Into<String>) -> Self {
        Self {
            line: Some(line),
            ..Self::in_file(file, rule, what)
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            rule,
            what,
        } = self;
        match line {
            Some(line) => write!(f, "{file}:{line}: {rule}: {what}"),
            None => write!(f, "{file}: {rule}: {what}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_reads_like_a_compiler_error() {
        assert_eq!(
            Finding::at("a.rs", 7, "rule", "do this").to_string(),
            "a.rs:7: rule: do this"
        );
        assert_eq!(
            Finding::in_file("a.rs", "rule", "do this").to_string(),
            "a.rs: rule: do this"
        );
    }
}
