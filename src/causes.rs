//! Errors in words.

use std::error::Error;

/// The message of an error followed by those of its causes. No error of this program repeats its cause, so nothing here has
/// to be left out.
#[must_use]
pub(crate) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use thiserror::Error;

    use super::*;

    #[derive(Debug, Error)]
    enum Fault {
        #[error("no detector")]
        Detector(#[source] Box<Fault>),
        #[error(transparent)]
        Passed(Box<Fault>),
        #[error("weights.json")]
        File(#[from] io::Error),
    }

    #[test]
    fn every_cause_is_said_once_from_the_outside_in() {
        let file = Fault::from(io::Error::other("no space left"));
        let fault = Fault::Detector(Box::new(Fault::Passed(Box::new(file))));
        assert_eq!(with_causes(&fault), "no detector: weights.json: no space left");
    }
}
