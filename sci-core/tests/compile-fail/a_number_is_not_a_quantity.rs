use sci_core::quantity::Watts;

fn main() {
    let power: Watts = 250.0;
    let _ = power;
}
