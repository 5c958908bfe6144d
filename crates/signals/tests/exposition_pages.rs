//! Exposition text as agents were recorded to write it.

use std::{collections::BTreeMap, fs, path::Path};

use kube_sci_signals::exposition::{SampleKind, parse};
use proptest::{
    prelude::*,
    sample::{Index, select},
};

use crate::exposition::{Read, read};

/// Each recorded page with its file name.
fn pages() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pages");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let pages = files.filter(|path| path.extension().is_some_and(|extension| extension == "txt"));
    pages
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(path).unwrap()))
        .collect()
}

fn page(file: &str) -> String {
    pages().into_iter().find_map(|(name, page)| (name == file).then_some(page)).unwrap()
}

fn is_sample(line: &str) -> bool {
    !line.is_empty() && !line.starts_with('#')
}

fn lines_of_samples(page: &str) -> u64 {
    page.lines().filter(|line| is_sample(line)).count().try_into().unwrap()
}

/// The one sample with that name and these labels among others.
fn one(samples: &[Read], name: &str, labels: &[(&str, &str)]) -> Read {
    let has = |sample: &Read, (key, value): &(&str, &str)| sample.labels.get(*key).is_some_and(|held| held == value);
    let matching = |sample: &&Read| sample.name == name && labels.iter().all(|label| has(sample, label));
    let mut found = samples.iter().filter(matching);
    let sample = found.next().unwrap().clone();
    assert_eq!(found.next(), None);
    sample
}

#[test]
fn every_line_of_every_page_is_read() {
    let pages = pages();
    assert!(pages.len() >= 12, "the recorded pages are missing");
    for (file, page) in pages {
        let (samples, counts) = read(&page);
        assert_eq!((counts.parsed, counts.malformed), (lines_of_samples(&page), 0), "{file}");
        assert!(samples.iter().all(|sample| sample.kind != SampleKind::Untyped || file.contains("0.7")), "{file}");
    }
}

#[test]
fn alumet_says_gauges_with_every_label() {
    let (samples, _) = read(page("alumet-agent-0.9.5.txt"));
    let node = one(&samples, "rapl_consumed_energy_alumet", &[("domain", "package_total")]);
    assert_eq!((node.value, node.kind), (102.041_077, SampleKind::Gauge));
    let pod = one(&samples, "attributed_energy_alumet", &[("name", "batch-0")]);
    let labels = [
        ("domain", "package_total"),
        ("kind", "total"),
        ("name", "batch-0"),
        ("namespace", "jobs"),
        ("node", "worker-1"),
        (
            "resource_consumer_id",
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod11111111_2222_4333_8444_555555555502.slice",
        ),
        ("resource_consumer_kind", "cgroup"),
        ("resource_id", ""),
        ("resource_kind", "local_machine"),
        ("uid", "11111111-2222-4333-8444-555555555502"),
    ];
    assert_eq!(pod.labels, labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    one(&samples, "kernel_context_switches_alumet_", &[]);
}

#[test]
fn kepler_says_counters_by_zone() {
    let (samples, _) = read(page("kepler-0.11-reconstructed-t0.txt"));
    let pod = one(&samples, "kepler_pod_cpu_joules_total", &[("pod_name", "batch-0"), ("zone", "package")]);
    assert_eq!((pod.value, pod.kind), (28_000.0, SampleKind::Counter));
    assert_eq!(one(&samples, "kepler_node_cpu_usage_ratio", &[]).kind, SampleKind::Gauge);
}

#[test]
fn scaphandre_keeps_types_although_its_families_are_in_pieces() {
    let (samples, _) = read(page("scaphandre-1.0.0.txt"));
    let last = one(&samples, "scaph_socket_energy_microjoules", &[("socket_id", "1")]);
    assert_eq!((last.value, last.kind), (1_697_096_514.0, SampleKind::Counter));
    assert_eq!(one(&samples, "scaph_host_power_microwatts", &[]).kind, SampleKind::Gauge);
}

#[test]
fn a_page_cut_anywhere_reads_as_its_beginning() {
    for file in ["alumet-agent-0.9.5-aggregation-10s.txt", "kepler-0.11-reconstructed-t0.txt", "scaphandre-1.0.0.txt"] {
        let page = page(file);
        let (whole, _) = read(&page);
        for end in 0..=page.len() {
            let cut = page.get(..end).unwrap();
            let mut samples = 0;
            let Ok(counts) = parse(
                cut.as_bytes(),
                |_| true,
                |sample| {
                    let expected = &whole[samples];
                    assert_eq!(
                        (sample.name, sample.value),
                        (expected.name.as_str(), expected.value),
                        "{file} at {end}"
                    );
                    assert_eq!(sample.labels.len(), expected.labels.len(), "{file} at {end}");
                    samples += 1;
                },
            ) else {
                panic!("{file} is refused when cut at {end}");
            };
            assert_eq!(counts.parsed + counts.malformed, lines_of_samples(cut), "{file} at {end}");
            assert!(counts.malformed <= 1, "{file} at {end}");
        }
    }
}

/// A page and a seed for the order of labels on each of its lines.
fn shuffled() -> impl Strategy<Value = (String, String)> {
    (select(pages()), prop::collection::vec(any::<Index>(), 1..20)).prop_map(|((_, page), order)| {
        let mut order = order.into_iter().cycle();
        let mut shuffled = String::new();
        for line in page.lines() {
            match line.split_once('{').filter(|_| is_sample(line)) {
                Some((name, rest)) => {
                    let (labels, value) = rest.split_once('}').unwrap();
                    let mut left: Vec<&str> = labels.split(',').collect();
                    let mut next = || left.swap_remove(order.next().unwrap().index(left.len()));
                    let labels: Vec<&str> = (0..labels.split(',').count()).map(|_| next()).collect();
                    shuffled.push_str(&[name, "{", &labels.join(","), "}", value].concat());
                }
                None => shuffled.push_str(line),
            }
            shuffled.push('\n');
        }
        (page, shuffled)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_order_of_labels_does_not_matter((page, shuffled) in shuffled()) {
        let by_label = |page: &str| -> BTreeMap<_, _> {
            read(page).0.into_iter().map(|sample| ((sample.name, sample.labels), sample.value.to_bits())).collect()
        };
        prop_assert_eq!(by_label(&page), by_label(&shuffled));
    }
}
