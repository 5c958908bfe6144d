//! Pages that are made from the code and checked in.

use std::{env, fs, io, path::Path};

use clap::Command;
use schemars::JsonSchema;

use super::{GENERATED, markdown};
use crate::{
    cli::ProgramConfig,
    config::{ConfigError, to_yaml},
};

/// Set to anything, it has [`keep`] write pages instead of comparing them.
const UPDATE: &str = "KUBE_SCI_UPDATE_REFERENCE";

/// A page that is not as the code says.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PageError {
    /// The code says something else by now.
    #[error("{0} is out of date: run the tests with KUBE_SCI_UPDATE_REFERENCE=1")]
    Stale(String),
    /// It cannot be written.
    #[error("write {path}")]
    Write {
        /// Where to.
        path: String,
        /// Reason.
        source: io::Error,
    },
}

/// Compares a checked-in page with what the code says now, or writes it if `KUBE_SCI_UPDATE_REFERENCE` is set. For
/// tests.
///
/// # Errors
/// [`PageError`].
pub fn keep(page: &Path, text: &str) -> Result<(), PageError> {
    let path = page.display().to_string();
    if env::var_os(UPDATE).is_some() {
        let written = page.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(page, text));
        written.map_err(|source| PageError::Write { path: path.clone(), source })?;
    }
    let checked_in = fs::read_to_string(page).unwrap_or_default();
    if checked_in == text { Ok(()) } else { Err(PageError::Stale(path)) }
}

/// The page of a program's configuration: every key, and the document with all defaults.
///
/// # Errors
/// The defaults cannot be written.
pub fn configuration<C: ProgramConfig + JsonSchema>(title: &str) -> Result<String, ConfigError> {
    let intro = format!(
        "One YAML document, given with `--config`. Every key has a default, unknown keys are refused with line and \
         column, and zero configuration works.\n\n{GENERATED}"
    );
    let defaults = to_yaml(&C::default())?;
    let keys = markdown::<C>(title, &intro);
    Ok(format!("{keys}\n## All defaults\n\n```yaml\n{}\n```\n", defaults.trim_end()))
}

/// The page of a program's command line.
pub fn command_line(title: &str, mut command: Command) -> String {
    let help = command.render_long_help().to_string();
    format!("# {title}\n\n{GENERATED}\n\n```text\n{}\n```\n", help.trim_end())
}
