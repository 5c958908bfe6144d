//! Figures of the process under the names that every Prometheus client library uses, read from procfs at scrape time.
//! Without procfs nothing is reported.

use std::{fmt, fs};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Unit,
};

use super::Spec;

/// Ticks per second of the times in procfs: `USER_HZ`, a constant of the Linux ABI.
const TICKS_PER_SECOND: f64 = 100.0;

#[derive(Debug)]
pub(super) struct ProcessCollector;

#[derive(Debug, PartialEq)]
struct Stat {
    cpu_ticks: f64,
    start_ticks: f64,
}

pub(super) fn specs() -> [(Spec, MetricType); 4] {
    [
        (spec("process_cpu", Some(Unit::Seconds), "User and system CPU time"), MetricType::Counter),
        (spec("process_resident_memory", Some(Unit::Bytes), "Resident memory"), MetricType::Gauge),
        (
            spec("process_start_time", Some(Unit::Seconds), "Start of the process, seconds since 1970"),
            MetricType::Gauge,
        ),
        (spec("process_open_fds", None, "Open file descriptors"), MetricType::Gauge),
    ]
}

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let stat = read("self/stat").as_deref().and_then(parse_stat);
        let boot = read("stat").as_deref().and_then(|text| number_after(text, "btime"));
        let resident_kib = read("self/status").as_deref().and_then(|text| number_after(text, "VmRSS:"));
        let values = [
            stat.as_ref().map(|stat| stat.cpu_ticks / TICKS_PER_SECOND),
            resident_kib.map(|kib| kib * 1024.0),
            stat.as_ref().zip(boot).map(|(stat, boot)| boot + stat.start_ticks / TICKS_PER_SECOND),
            open_descriptors(),
        ];
        for ((spec, kind), value) in specs().into_iter().zip(values) {
            let Some(value) = value else { continue };
            let metric = encoder.encode_descriptor(spec.name, &format!("{}.", spec.help), spec.unit.as_ref(), kind)?;
            match kind {
                MetricType::Counter => ConstCounter::new(value).encode(metric)?,
                _ => ConstGauge::new(value).encode(metric)?,
            }
        }
        Ok(())
    }
}

fn spec(name: &'static str, unit: Option<Unit>, help: &'static str) -> Spec {
    Spec { name, unit, labels: &[], help }
}

fn read(file: &str) -> Option<String> {
    fs::read_to_string(format!("/proc/{file}")).ok()
}

fn open_descriptors() -> Option<f64> {
    let count = u32::try_from(fs::read_dir("/proc/self/fd").ok()?.count()).ok()?;
    Some(f64::from(count))
}

/// Fields 14, 15 and 22 of proc(5) `stat`. The command in field 2 may hold blanks and parentheses.
fn parse_stat(text: &str) -> Option<Stat> {
    let (_, after_command) = text.rsplit_once(')')?;
    let field = |number: usize| after_command.split_ascii_whitespace().nth(number - 3)?.parse::<f64>().ok();
    Some(Stat { cpu_ticks: field(14)? + field(15)?, start_ticks: field(22)? })
}

fn number_after(text: &str, key: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(key))?.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_with_blanks_and_parentheses_does_not_shift_the_fields() {
        let text = "7 (a) b) S 1 7 7 0 -1 4194560 5 0 0 0 250 50 0 0 20 0 4 0 1234 1000 200 18446744073709551615";
        assert_eq!(parse_stat(text), Some(Stat { cpu_ticks: 300.0, start_ticks: 1234.0 }));
    }

    #[test]
    fn a_truncated_stat_is_no_figure() {
        assert_eq!(parse_stat("7 (x) S 1 7"), None);
    }

    #[test]
    fn keyed_numbers_are_read_without_their_unit() {
        assert_eq!(number_after("VmPeak:\t 9 kB\nVmRSS:\t  2048 kB\n", "VmRSS:"), Some(2048.0));
    }
}
