use sci_core::quantity::{Joules, Watts};

fn main() {
    let power = Watts::ZERO;
    let energy = Joules::ZERO;
    let _ = power + energy;
}
