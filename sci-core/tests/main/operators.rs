//! The complete list of operators between quantities: what is not in it does not compile.

use std::{
    collections::BTreeSet,
    marker::PhantomData,
    ops::{Add, Div, Mul, Rem, Sub},
    time::Duration,
};

use sci_core::quantity::{
    Bytes, Cores, GramsCo2e, GramsPerCoreHour, GramsPerHour, GramsPerKwh, Joules, Pue, RelativePerformance, Share,
    Utilization, Watts,
};

/// What holds for every pair of types unless a probe knows better.
trait Otherwise {
    const EXISTS: bool = false;
}

/// A type whose inherent `EXISTS` is true where `L: $operator<R>`. Where that bound fails the trait's is found.
macro_rules! probe {
    ($($probe:ident: $operator:ident),*) => {$(
        struct $probe<L, R>(PhantomData<(L, R)>);
        impl<L, R> Otherwise for $probe<L, R> {}
        impl<L: $operator<R>, R> $probe<L, R> {
            #[allow(dead_code)] // no quantity has `-` or `%`
            const EXISTS: bool = true;
        }
    )*};
}

probe!(Plus: Add, Minus: Sub, Times: Mul, Over: Div, Modulo: Rem);

macro_rules! operators {
    ($found:ident, $left:ident, [$($right:ident)*]) => {$(
        for (operator, exists) in [
            ("+", <Plus<$left, $right>>::EXISTS),
            ("-", <Minus<$left, $right>>::EXISTS),
            ("*", <Times<$left, $right>>::EXISTS),
            ("/", <Over<$left, $right>>::EXISTS),
            ("%", <Modulo<$left, $right>>::EXISTS),
        ] {
            if exists {
                $found.insert(format!("{} {operator} {}", stringify!($left), stringify!($right)));
            }
        }
    )*};
}

macro_rules! all_operators {
    ([$($left:ident)*], $rights:tt) => {{
        let mut found = BTreeSet::new();
        $(operators!(found, $left, $rights);)*
        found
    }};
}

#[test]
fn only_operators_with_a_meaning_exist() {
    let found = all_operators!(
        [Joules Watts GramsCo2e GramsPerKwh GramsPerHour GramsPerCoreHour Pue Cores Bytes Utilization Share
            RelativePerformance],
        [Joules Watts GramsCo2e GramsPerKwh GramsPerHour GramsPerCoreHour Pue Cores Bytes Utilization Share
            RelativePerformance Duration f64]
    );

    let amounts = ["Joules", "Watts", "GramsCo2e", "GramsPerHour", "GramsPerCoreHour", "Cores", "Bytes"];
    let mut expected: BTreeSet<String> =
        amounts.iter().flat_map(|amount| [format!("{amount} + {amount}"), format!("{amount} * Share")]).collect();
    for (left, right) in [("Joules", "GramsPerKwh"), ("Watts", "GramsPerKwh"), ("Joules", "Pue"), ("Watts", "Pue")] {
        expected.extend([format!("{left} * {right}"), format!("{right} * {left}")]);
    }
    let over_time = ["Watts * Duration", "Joules / Duration", "GramsPerHour * Duration", "GramsCo2e / Duration"];
    expected.extend(over_time.map(str::to_owned));
    assert_eq!(found, expected);
}
