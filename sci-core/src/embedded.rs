//! Reading of the embedded tables: comma-separated text without quotes, first line names the columns.

/// The lines below the header.
pub(crate) fn rows(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().skip(1)
}

/// The fields of a row, borrowed from the binary; `None` unless there are exactly `N`.
pub(crate) fn fields<const N: usize>(row: &'static str) -> Option<[&'static str; N]> {
    let mut out = [""; N];
    let mut parts = row.split(',');
    for field in &mut out {
        *field = parts.next()?;
    }
    parts.next().is_none().then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_exactly_the_expected_fields() {
        assert_eq!(fields::<3>("a,,c"), Some(["a", "", "c"]));
        assert_eq!(fields::<3>("a,b"), None);
        assert_eq!(fields::<3>("a,b,c,d"), None);
    }
}
