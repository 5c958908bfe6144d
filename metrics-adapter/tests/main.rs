//! Integration tests of the adapter, one binary.
