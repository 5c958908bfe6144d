use sci_core::intensity::Reading;

fn cleaner(left: &Reading, right: &Reading) -> bool {
    // Only `try_cmp` asks whether the two mean the same.
    left < right
}

fn main() {
    let _ = cleaner;
}
