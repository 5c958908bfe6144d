//! Selectors in queries.

use aggregated_apiserver::{ApiRequest, Status, selector::LabelSelector};

/// Longest part of a text of the caller that is told back.
const MAX_SHOWN: usize = 80;

/// The selector of a parameter; an absent one selects everything.
///
/// # Errors
/// 400 with the place where it goes wrong.
pub fn parse(request: &ApiRequest, parameter: &str) -> Result<LabelSelector, Status> {
    let text = request.query(parameter).unwrap_or_default();
    LabelSelector::parse(text)
        .map_err(|error| Status::bad_request(format!("cannot understand {parameter} {:?}: {error}", shown(text))))
}

/// The beginning of a text, as long as can be told back.
pub fn shown(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_SHOWN)).unwrap_or_default()
}
