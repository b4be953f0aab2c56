//! Small models that are part of the program, not weights beside it.

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The model in a file that `spinenet train` wrote, beside its measures.
///
/// # Panics
/// If there is none: such a file is part of the program, and a test reads it.
pub(crate) fn built_in_model<T: DeserializeOwned>(file: &str) -> T {
    #[derive(Deserialize)]
    struct File<T> {
        model: T,
    }
    let file: File<T> = serde_json::from_str(file).expect("the file belongs to the program");
    file.model
}
