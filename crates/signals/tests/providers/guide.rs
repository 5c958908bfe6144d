//! The examples of the guide are configurations.

use kube_sci_signals::config::GridConfig;

use super::*;

#[derive(serde::Deserialize)]
struct Whole {
    grid: GridConfig,
}

#[test]
fn every_example_of_the_guide_is_a_valid_configuration() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides/grid-sources.md");
    let guide = fs::read_to_string(guide).unwrap();
    let examples: Vec<&str> = guide.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(examples.len(), 11);
    for example in examples {
        let text =
            if example.starts_with("grid:") { example.to_owned() } else { format!("grid:\n  sources:\n{example}") };
        let whole: Whole = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        whole.grid.validate().unwrap_or_else(|error| panic!("{error}\n{text}"));
    }
}
