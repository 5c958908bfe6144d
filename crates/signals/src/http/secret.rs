//! Secrets: read from files when needed, shown to nobody.

use std::{
    fmt,
    fs::File,
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Tokens have some kilobytes at most.
const MAX_BYTES: u64 = 64 << 10;

/// A token or password. It cannot be printed, and its debug form is `***`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(Arc<str>);

/// A file with one secret. A line break at its end is not a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretFile(PathBuf);

/// Why a file holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// Not there, or not readable.
    #[error("read the secret in {}: {problem}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        problem: io::ErrorKind,
    },
    /// No text, or none that a request could carry.
    #[error("write one line of printable characters into {}", path.display())]
    Content {
        /// Which file.
        path: PathBuf,
    },
}

impl Secret {
    /// Takes a text for a secret.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the one place it is sent to.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Tells whether a secret was replaced. Not cryptographic, and never shown.
    pub(crate) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.0.hash(&mut hasher);
        hasher.finish()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl SecretFile {
    /// A file by its path; nothing is read yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The secret as it stands in the file now. The file is small and mostly mounted from memory: reading it in
    /// place costs less than a hand-over to another thread, and a changed one is never missed.
    ///
    /// # Errors
    /// [`SecretError`] names the file.
    pub fn read(&self) -> Result<Secret, SecretError> {
        let mut bytes = Vec::new();
        let read = File::open(&self.0).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut bytes));
        read.map_err(|error| SecretError::Read { path: self.0.clone(), problem: error.kind() })?;
        let text = std::str::from_utf8(&bytes).unwrap_or_default().trim();
        if text.is_empty() || !text.chars().all(|c| c.is_ascii_graphic() || c == ' ') {
            return Err(SecretError::Content { path: self.0.clone() });
        }
        Ok(Secret::new(text))
    }
}
