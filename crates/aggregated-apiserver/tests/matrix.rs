//! The adversarial matrix: named cases over real TLS and real certificates. All of them must hold.

/// Tests that are named cases of the matrix.
macro_rules! cases {
    ($(async fn $name:ident() $body:block)*) => {
        pub const NAMES: &[&str] = &[$(stringify!($name)),*];
        $(
            #[tokio::test]
            async fn $name() $body
        )*
    };
}

mod access;
mod authorities;
mod floods;
mod framing;
mod identity;
mod limits;
mod paths;
mod resources;
mod serving;
mod tokens;

use std::collections::BTreeSet;

/// Every case by name.
fn names() -> Vec<String> {
    let coded = [
        access::NAMES,
        authorities::NAMES,
        floods::NAMES,
        framing::NAMES,
        limits::NAMES,
        paths::NAMES,
        resources::NAMES,
        serving::NAMES,
        tokens::NAMES,
    ];
    let coded = coded.iter().flat_map(|names| names.iter().map(|name| (*name).to_owned()));
    coded.chain(identity::names()).chain(paths::row_names()).chain(resources::row_names()).collect()
}

#[test]
fn the_matrix_has_at_least_eighty_cases_of_different_names() {
    let names = names();
    let distinct: BTreeSet<&String> = names.iter().collect();
    assert_eq!(distinct.len(), names.len(), "a name is used twice");
    assert!(names.len() >= 80, "{} cases", names.len());
}
