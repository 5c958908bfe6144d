//! The report as text.

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::Value;

use super::{account::Account, run::Report};

/// Hours of a year, for the one figure that people compare with flights and cars.
const HOURS_PER_YEAR: f64 = 8_760.0;

/// The report; `colour` marks the difference for a terminal.
pub fn render(report: &Report, colour: bool) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail; the results are dropped for that reason.
    let _ = nodes(&mut text, report);
    let _ = totals(&mut text, report, colour);
    let _ = why(&mut text, &report.explanation);
    let _ = sources(&mut text, report);
    let _ = next(&mut text, report);
    text
}

fn nodes(text: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(
        text,
        "\nWhat a pod of one core would cost on each node while the cluster is empty, in gCO2e, and who got the pods.\nEnergy and making of the hardware add up per hour; per core-hour counts how much work the core gets done.\n"
    )?;
    writeln!(
        text,
        "{:18} {:12} {:>6} {:16} {:>6} {:>6} {:>6} {:>9} {:>5} {:>6} {:>6}",
        "NODE", "GRID ZONE", "g/kWh", "HARDWARE", "energy", "made", "g/h", "g/core-h", "score", "plain", "green"
    )?;
    let empty = Vec::new();
    for node in report.ranking.get("nodes").and_then(Value::as_array).unwrap_or(&empty) {
        let name = text_at(node, "/node");
        writeln!(
            text,
            "{name:18} {:12} {:>6.0} {:16} {:>6.2} {:>6.2} {:>6.2} {:>9.2} {:>5} {:>6} {:>6}",
            text_at(node, "/intensity/zone"),
            number_at(node, "/intensity/gramsPerKwh"),
            shortened(&text_at(node, "/energy/hardwareClass"), 16),
            number_at(node, "/energy/operationalGramsPerHour"),
            number_at(node, "/embodied/gramsPerHour"),
            number_at(node, "/gramsPerHour"),
            number_at(node, "/gramsPerCoreHour"),
            number_at(node, "/score"),
            count(&report.plain.pods, &name),
            count(&report.green.pods, &name),
        )?;
    }
    Ok(())
}

fn totals(text: &mut String, report: &Report, colour: bool) -> std::fmt::Result {
    let Report { plain, green, .. } = report;
    let (bold, off) = if colour { ("\x1b[1;32m", "\x1b[0m") } else { ("", "") };
    let saved = plain.grams_per_hour - green.grams_per_hour;
    let pods = |account: &Account| account.pods.values().sum::<usize>();
    writeln!(text, "\n{:44} {:>10} {:>10} {:>12}", "", "plain", "green", "difference")?;
    writeln!(text, "{:44} {:>10} {:>10}", "pods bound", pods(plain), pods(green))?;
    writeln!(
        text,
        "{:44} {:>10.1} {:>10.1} {bold}{:>+12.1}{off}",
        "carbon, gCO2e per hour", plain.grams_per_hour, green.grams_per_hour, -saved
    )?;
    let (before, after) = (sci(plain), sci(green));
    writeln!(
        text,
        "{:44} {before:>10.2} {after:>10.2} {bold}{:>+11.0}%{off}",
        "SCI, gCO2e per R (a core-hour of work)",
        100.0 * (after / before - 1.0)
    )?;
    writeln!(text, "\nAt this rate that is {:.0} kgCO2e per year, for the same work.", saved * HOURS_PER_YEAR / 1_000.0)
}

fn why(text: &mut String, explanation: &Value) -> std::fmt::Result {
    let name = text_at(explanation, "/pod/name");
    writeln!(text, "\nWhy, for pod {name}: {}", text_at(explanation, "/text"))?;
    let empty = Vec::new();
    let candidates = explanation.get("nodes").and_then(Value::as_array).unwrap_or(&empty);
    for candidate in candidates.iter().take(3) {
        writeln!(
            text,
            "  {:18} {:>6.2} g/h = {:.2} energy ({:.1} W added + {:.1} W to wake it, {:.0} g/kWh) + {:.2} embodied -> score {}",
            text_at(candidate, "/node"),
            number_at(candidate, "/then/gramsPerHour"),
            number_at(candidate, "/then/operationalGramsPerHour"),
            number_at(candidate, "/then/marginalWatts"),
            number_at(candidate, "/then/activationWatts"),
            number_at(candidate, "/then/gramsPerKwh"),
            number_at(candidate, "/then/embodiedGramsPerHour"),
            number_at(candidate, "/then/score"),
        )?;
    }
    Ok(())
}

fn sources(text: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(
        text,
        "\nWhere the numbers come from, with the green scheduler's pods running. TABLE is what the node would draw by its\ntable, METER who says what it draws, LINK how the grid's intensity is known.\n"
    )?;
    writeln!(
        text,
        "{:18} {:>6} {:>6} {:>6}  {:9} {:30} {:>6} {:7} INTENSITY FROM",
        "NODE", "WATTS", "TABLE", "", "QUALITY", "METER", "g/kWh", "LINK"
    )?;
    let empty = Vec::new();
    for node in report.sources.get("nodes").and_then(Value::as_array).unwrap_or(&empty) {
        let name = text_at(node, "/node");
        let (watts, table) = (number_at(node, "/energy/power/watts"), report.table_watts.get(&name).copied());
        let table = table.unwrap_or(f64::NAN);
        let quality = text_at(node, "/energy/power/quality");
        let unlike =
            if quality == "modelled" { String::new() } else { format!("{:+.0}%", 100.0 * (watts / table - 1.0)) };
        writeln!(
            text,
            "{name:18} {watts:>6.1} {table:>6.1} {unlike:>6}  {quality:9} {:30} {:>6.0} {:7} {}",
            meter(node, &report.quality),
            number_at(node, "/intensity/gramsPerKwh"),
            text_at(node, "/intensity/value/chainLink"),
            text_at(node, "/intensity/value/source").split(',').next().unwrap_or_default(),
        )?;
    }
    Ok(())
}

/// Who says what a node draws; a meter that is not believed is named with the reason.
fn meter(node: &Value, quality: &Value) -> String {
    if node.pointer("/energy/power/meter").is_some() {
        return text_at(node, "/energy/power/source");
    }
    let mut nodes = quality.get("nodes").and_then(Value::as_array).into_iter().flatten();
    let known = nodes.find(|known| known.get("node") == node.get("node"));
    match known.and_then(|known| known.pointer("/refused/0")) {
        Some(refused) => format!("{} refused: {}", text_at(refused, "/exporter"), text_at(refused, "/reason")),
        None => "none".to_owned(),
    }
}

fn next(text: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(
        text,
        "\nReal: kube-scheduler v1.37 with weight {} for kube-sci, Prometheus, which scraped {} pages. Played: the machines, their\nagents' pages and the grid API, so that the truth is known: carbon above is counted by what the machines really draw.\nTook {:.0} s.",
        report.weight, report.scrapes, report.seconds
    )?;
    writeln!(text, "Look next: make local-cluster (a cluster to play with), docs/concepts/score.md (the formula),")?;
    writeln!(text, "           docs/guides (install it), target/release/demo --weight 3 (as gently as it is shipped)")
}

/// The SCI of a placement: grams per core-hour of reference work.
fn sci(account: &Account) -> f64 {
    account.grams_per_hour / account.core_hours
}

fn count(pods: &BTreeMap<String, usize>, node: &str) -> String {
    pods.get(node).map_or_else(|| ".".to_owned(), ToString::to_string)
}

fn text_at(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or("?").to_owned()
}

fn number_at(value: &Value, pointer: &str) -> f64 {
    value.pointer(pointer).and_then(Value::as_f64).unwrap_or(f64::NAN)
}

fn shortened(text: &str, length: usize) -> String {
    text.chars().take(length).collect()
}
