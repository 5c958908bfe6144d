//! The report as text.

use std::fmt::Write as _;

use serde_json::Value;

use super::{
    chart::{self, Legend, Most},
    day,
    ledger::{Ledger, Look, Run, Spent, per_replica},
    run::Report,
    shop,
    stage::{self, ROUND},
    twins::Twins,
};

/// The report; `colour` is for a terminal.
pub fn render(report: &Report, colour: bool) -> String {
    let mut text = introduction();
    text.push_str(&chart::render(&report.looks, legend(colour)));
    // Writing to a String cannot fail; the results are dropped for that reason.
    let _ = replicas(&mut text, &report.ledger);
    let _ = spent(&mut text, &report.ledger, colour);
    let _ = honesty(&mut text, &report.ledger);
    let _ = why(&mut text, &report.explanation);
    let _ = next(&mut text, report.seconds);
    text
}

/// How the day is drawn.
pub fn legend(colour: bool) -> Legend {
    let requests = day::most_requests();
    let most = Most {
        requests,
        intensity: day::intensity(day::dirtiest()).get(),
        replicas: f64::from(shop::replicas_for(requests)),
    };
    Legend { steps: shop::STEPS.map(|(at_or_above, _)| at_or_above), most, colour }
}

/// The moment in one line.
pub fn now(look: &Look) -> String {
    let each = look.replicas.map(|replicas| per_replica(look.requests, replicas.ready));
    let (time, requests, grams) = (day::wall(look.hour), look.requests, look.intensity.get());
    let (plain, green) = (look.replicas.plain.ready, look.replicas.green.ready);
    format!(
        "{time}  {requests:.0} requests/s at {grams:.0} gCO2e/kWh: plain {plain} replicas, {:.0} each; green {green} replicas, {:.0} each\n",
        each.plain, each.green
    )
}

fn introduction() -> String {
    let [(little, first), (much, second)] = shop::STEPS;
    let (target, guard, limit) = (shop::TARGET, shop::GUARD, shop::LIMIT);
    format!(
        "\nA day in a minute. The same shop twice, each scaled by a HorizontalPodAutoscaler to {target} requests/s per replica (T): plain by\n\
         the load, green by the load times a factor, {first} from {little} gCO2e/kWh on and {second} from {much} on. No replica may ever have\n\
         more than {limit} (H), so both have a guard that knows nothing of carbon: the load at {guard} (S).\n\n"
    )
}

fn replicas(text: &mut String, ledger: &Ledger) -> std::fmt::Result {
    let Twins { plain, green } = ledger.runs;
    let range = |run: Run| format!("{} to {}", run.fewest, run.most);
    writeln!(text, "\n{:44} {:>10} {:>10} {:>12}", "", "plain", "green", "difference")?;
    let (before, after) = (plain.replica_hours, green.replica_hours);
    let percent = 100.0 * (after / before - 1.0);
    writeln!(text, "{:44} {before:>10.1} {after:>10.1} {percent:>+11.1}%", "replica-hours")?;
    writeln!(text, "{:44} {:>10} {:>10}", "replicas", range(plain), range(green))?;
    let (target, guard, limit) = (shop::TARGET, shop::GUARD, shop::LIMIT);
    let label = format!("most requests/s each (T {target}, S {guard}, H {limit})");
    writeln!(text, "{label:44} {:>10.1} {:>10.1}", plain.worst, green.worst)?;
    let kept = if plain.minutes_above + green.minutes_above > 0.0 { "NOT KEPT" } else { "SLO kept" };
    let label = "minutes of the day above H";
    writeln!(text, "{label:44} {:>10.0} {:>10.0} {kept:>12}", plain.minutes_above, green.minutes_above)?;
    let label = "times that the autoscaler changed replicas";
    writeln!(text, "{label:44} {:>10} {:>10}", plain.scale_events, green.scale_events)
}

/// Energy and carbon of both, and the difference in carbon.
fn spent(text: &mut String, ledger: &Ledger, colour: bool) -> std::fmt::Result {
    let Twins { plain, green } = ledger.runs;
    let (kwh, grams) = ("kWh", "gCO2e");
    writeln!(text, "\n{:44} {:>18} {:>15} {:>17}", "", "plain", "green", "difference")?;
    writeln!(text, "{:44} {kwh:>10} {grams:>7} {kwh:>7} {grams:>7} {grams:>8}", "what the day took")?;
    let mut row = |label: &str, plain: Spent, green: Spent, whole: bool| {
        let [before, after] = [plain, green].map(|spent| spent.carbon.get());
        let [energy_before, energy_after] = [plain, green].map(|spent| spent.energy.kwh());
        let (on, off) = if colour && whole { ("\x1b[1;32m", "\x1b[0m") } else { ("", "") };
        let share = if whole { format!("{:>+8.1}%", 100.0 * (after / before - 1.0)) } else { String::new() };
        writeln!(
            text,
            "{label:44} {energy_before:>10.3} {before:>7.1} {energy_after:>7.3} {after:>7.1} {on}{:>+8.1}{share}{off}",
            after - before
        )
    };
    row("requests, the same on any number of replicas", plain.spent.work, green.spent.work, false)?;
    row("replicas being there", plain.spent.waiting, green.spent.waiting, false)?;
    row("machines being on, as many as they need", plain.spent.machines, green.spent.machines, false)?;
    row("all of it, where emptied machines leave", plain.leaving(), green.leaving(), true)?;
    let idle = ledger.idle;
    row("all of it, where all machines stay on", plain.staying(idle), green.staying(idle), true)
}

/// What may be claimed.
fn honesty(text: &mut String, ledger: &Ledger) -> std::fmt::Result {
    let Twins { plain, green } = ledger.runs;
    let saved = |carbon: fn(&Run) -> f64| carbon(&plain) - carbon(&green);
    let waiting = saved(|run| run.spent.waiting.carbon.get());
    let machines = saved(|run| run.spent.machines.carbon.get());
    writeln!(
        text,
        "\nFewer replicas do the same work. Saved are {waiting:.1} g of replicas that were not there, and {machines:.1} g more only where emptied machines\n\
         leave or sleep. Where they stay on, nobody should claim those."
    )
}

fn why(text: &mut String, explanation: &Value) -> std::fmt::Result {
    let part = |pointer: &str| explanation.pointer(pointer).and_then(Value::as_str).unwrap_or("?");
    writeln!(
        text,
        "\nWhy, at {}, by GET {}:\n  {}",
        day::wall(day::dirtiest()),
        stage::explanation_path(),
        part("/summary")
    )
}

fn next(text: &mut String, seconds: f64) -> std::fmt::Result {
    let minutes = 60.0 * ROUND.as_secs_f64() / day::HOUR.as_secs_f64();
    let (round, tolerance) = (ROUND.as_secs_f64(), 100.0 * shop::TOLERANCE);
    writeln!(
        text,
        "\nReal: API server and its aggregator, the HorizontalPodAutoscalers of Kubernetes v1.37, the metrics adapter. Played: requests,\n\
         grid ({}) and machines, so that the truth is known.\n\
         An autoscaler looks every {round} s, {minutes:.0} minutes of this day in place of 15 s: so it tolerates {tolerance} % in place of 10 %.\n\
         Took {seconds:.0} s.",
        day::GRID
    )?;
    writeln!(
        text,
        "Look next: docs/guides/green-hpa-first.md, docs/guides/green-hpa-choosing.md, docs/guides/green-hpa-limits.md"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::{ledger::Replicas, machines::Machines},
        *,
    };

    /// As the formula has it at every hour.
    fn looks() -> Vec<Look> {
        let look = |hour: u8| {
            let hour = f64::from(hour);
            let (requests, intensity) = (day::requests(hour), day::intensity(hour));
            let step = shop::STEPS.iter().rev().find(|(at_or_above, _)| intensity.get() >= *at_or_above);
            let factors = Twins { plain: 1.0, green: step.map_or(1.0, |(_, factor)| *factor) };
            let replicas = factors.map(|factor| shop::replicas_for(requests * factor));
            let replicas = replicas.map(|count| Replicas { wanted: count, ready: count });
            Look { hour, requests, intensity, replicas }
        };
        (0..24).map(look).collect()
    }

    fn report() -> Report {
        let looks = looks();
        let ledger = Ledger::settle(&looks, day::END, shop::LIMIT, &Machines::of_the_shop());
        let explanation = json!({ "summary": "2050 requests_per_second: so and so." });
        Report { looks, ledger, explanation, seconds: 71.6 }
    }

    #[test]
    fn a_report_is_drawn() {
        let expected = include_str!("report.txt");
        assert_eq!(render(&report(), false), expected, "render:\n{}", render(&report(), false));
    }

    #[test]
    fn colours_change_nothing_else() {
        let (colourful, plain) = (render(&report(), true), render(&report(), false));
        let codes = ["\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[1;32m", "\x1b[0m"];
        assert_ne!(colourful, plain);
        assert_eq!(codes.iter().fold(colourful, |text, code| text.replace(code, "")), plain);
    }

    #[test]
    fn an_overload_is_told() {
        let mut looks = looks();
        looks[12].replicas.green.ready = 5;
        let ledger = Ledger::settle(&looks, day::END, shop::LIMIT, &Machines::of_the_shop());
        let mut text = String::new();
        replicas(&mut text, &ledger).unwrap();
        assert!(text.contains("NOT KEPT") && text.contains("390.0"), "{text}");
    }

    #[test]
    fn the_moment_is_one_line() {
        let evening = looks()[20];
        assert_eq!(
            now(&evening),
            "20:00  2150 requests/s at 405 gCO2e/kWh: plain 22 replicas, 98 each; green 17 replicas, 126 each\n"
        );
    }
}
