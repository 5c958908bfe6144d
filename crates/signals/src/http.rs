//! Outside services over HTTP: limits, secrets from files, entity tags.
