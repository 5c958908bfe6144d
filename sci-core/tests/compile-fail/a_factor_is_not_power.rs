use sci_core::quantity::{Pue, Watts};

fn main() {
    let _ = Watts::ZERO + Pue::IDEAL;
}
