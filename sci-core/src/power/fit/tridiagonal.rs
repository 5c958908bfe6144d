//! Equations in which every unknown meets its two neighbours only.

/// `below * x[j-1] + middle * x[j] + above * x[j+1] = right`. Rows of least squares with a pull are symmetric and positive
/// definite: no pivot is needed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) below: f64,
    pub(super) middle: f64,
    pub(super) above: f64,
    pub(super) right: f64,
}

/// Elimination downwards, substitution upwards (Thomas).
pub(super) fn solve(rows: &[Row]) -> Vec<f64> {
    let (mut above, mut right) = (0.0, 0.0);
    let reduced: Vec<(f64, f64)> = rows
        .iter()
        .map(|row| {
            let pivot = row.middle - row.below * above;
            right = (row.right - row.below * right) / pivot;
            above = row.above / pivot;
            (above, right)
        })
        .collect();
    let mut next = 0.0;
    let mut solution: Vec<f64> = reduced
        .iter()
        .rev()
        .map(|(above, right)| {
            next = right - above * next;
            next
        })
        .collect();
    solution.reverse();
    solution
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_unknowns_are_solved_as_by_hand() {
        // 2x + y = 4, x + 3y + z = 10, y + 2z = 8: x = 1, y = 2, z = 3.
        let row = |below, middle, above, right| Row { below, middle, above, right };
        let rows = [row(0.0, 2.0, 1.0, 4.0), row(1.0, 3.0, 1.0, 10.0), row(1.0, 2.0, 0.0, 8.0)];
        for (found, expected) in solve(&rows).into_iter().zip([1.0, 2.0, 3.0]) {
            assert!((found - expected).abs() < 1e-12, "{found}");
        }
    }
}
