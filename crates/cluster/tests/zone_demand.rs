//! Which zones sources are asked for.

use std::time::Duration;

use kube_sci_cluster::{config::ModelConfig, index::Index};

use crate::fixtures::{node, noon};

fn demanded(index: &Index) -> Vec<String> {
    index.zone_demand().zones().iter().map(|demanded| demanded.zone.to_string()).collect()
}

#[test]
fn zones_are_wanted_while_nodes_stand_in_them() {
    let mut index = Index::new(&ModelConfig::default()).unwrap();
    for (name, zone) in [("a", "DE"), ("b", "FR"), ("c", "DE"), ("d", "BR-SP")] {
        index.apply_node(&node(name, zone), noon());
    }
    assert!(demanded(&index).is_empty());
    index.tick(noon());
    assert_eq!(demanded(&index), ["BR-CS", "DE", "FR"], "each once, by today's name");
    index.delete_node("b");
    index.delete_node("c");
    index.tick(noon() + Duration::from_secs(1));
    assert_eq!(demanded(&index), ["BR-CS", "DE"]);
}
