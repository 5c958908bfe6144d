use sci_core::quantity::{GramsCo2e, GramsPerHour};

fn main() {
    let _ = GramsCo2e::ZERO + GramsPerHour::ZERO;
}
