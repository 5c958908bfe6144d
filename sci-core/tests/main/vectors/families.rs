//! One function per family: from a vector's inputs, by the crate's public functions, to its results.

use std::time::Duration;

use sci_core::{
    intensity::Signal,
    power::{self, Hardware, PowerCurve},
    quantity::{Bytes, Cores, GramsCo2e, GramsPerKwh, Joules, Pue, Share, Utilization, Watts},
    region::Provider,
    sci::{
        EmbodiedCarbon, FunctionalUnit, PartEmissions, Sci, ServerParts,
        attribution::PowerSplit,
        counter::counter_delta,
        energy::{memory_energy, thread_power},
        operational,
    },
};

use super::{Answer, Answers, inputs::Inputs};

const HOUR: Duration = Duration::from_hours(1);
const BYTES_PER_GB: f64 = 1e9;

/// `None` for a family that nobody has a formula for.
pub(super) fn answers(family: &str, inputs: &Inputs<'_>) -> Option<Answers> {
    let formula = match family {
        "aggregation" => aggregation,
        "attribution" => attribution,
        "ccf-compute" => ccf_compute,
        "ccf-instance" => ccf_instance,
        "ccf-memory" => ccf_memory,
        "counter-delta" => counter,
        "energy" => energy,
        "if-sci-embodied" => if_sci_embodied,
        "legacy-sci" => legacy_sci,
        "memory-energy" => memory,
        "operational" => operational_carbon,
        "sci" => sci,
        "sci-edge" => sci_edge,
        "sci-embodied" => sci_embodied,
        "teads-aws" => teads_aws,
        "teads-curve" => teads_curve,
        "teads-pipeline" => teads_pipeline,
        _ => return None,
    };
    Some(formula(inputs))
}

fn number<const N: usize>(answers: [(&'static str, f64); N]) -> Answers {
    answers.map(|(key, value)| (key, Answer::Number(value))).into()
}

fn grams(value: f64) -> GramsCo2e {
    GramsCo2e::new(value).unwrap()
}

fn watts(value: f64) -> Watts {
    Watts::new(value).unwrap()
}

fn kwh(value: f64) -> Joules {
    Joules::from_kwh(value).unwrap()
}

fn intensity(value: f64) -> GramsPerKwh {
    GramsPerKwh::new(value).unwrap()
}

fn pue(inputs: &Inputs<'_>) -> Pue {
    Pue::new(inputs.number("pue")).unwrap()
}

fn per_unit(carbon: GramsCo2e, count: f64) -> Sci {
    let unit = FunctionalUnit::new("unit", count).unwrap();
    Sci::new(carbon, GramsCo2e::ZERO, unit, Signal::default())
}

fn aggregation(inputs: &Inputs<'_>) -> Answers {
    let components: Vec<Sci> =
        inputs.numbers("component_sci_g").into_iter().map(|carbon| per_unit(grams(carbon), 1.0)).collect();
    number([("sci_g", Sci::sum(&components).unwrap().score().unwrap().get())])
}

fn attribution(inputs: &Inputs<'_>) -> Answers {
    if inputs.has("node_cpu_ms") {
        let split = PowerSplit { active: watts(inputs.number("active_w")), idle: Watts::ZERO };
        let workload = split.used_by(inputs.ratio("workload_cpu_ms", "node_cpu_ms"));
        return number([("workload_w", workload.get())]);
    }
    let usage = Utilization::new(inputs.number("usage_ratio")).unwrap();
    let split = PowerSplit::new(watts(inputs.number("power_w")), usage);
    let workload = split.used_by(Share::new(inputs.number("cpu_share")).unwrap());
    number([("active_w", split.active.get()), ("idle_w", split.idle.get()), ("workload_w", workload.get())])
}

fn ccf_compute(inputs: &Inputs<'_>) -> Answers {
    // vCPU hours at one hour are threads; each replica is as many again.
    let threads = inputs.number("vcpu_hours") * inputs.optional("replication").unwrap_or(1.0);
    let (idle, full, load) = match inputs.optional("average_w") {
        Some(average) => (watts(average), watts(average), Utilization::FULL),
        None => (watts(inputs.number("min_w")), watts(inputs.number("max_w")), inputs.percent("utilisation_percent")),
    };
    let energy = thread_power(idle, full, load, Cores::new(threads).unwrap()) * HOUR;
    let carbon = operational(energy, pue(inputs), intensity(inputs.number("i_g_per_kwh")));
    number([("e_kwh", (energy * pue(inputs)).kwh()), ("o_g", carbon.get())])
}

/// An instance type as the embedded tables know it.
fn hardware(provider: &str, instance_type: &str) -> Hardware {
    let provider = match provider {
        "aws" => Provider::Aws,
        "azure" => Provider::Azure,
        "gcp" => Provider::Gcp,
        _ => panic!("no provider {provider}"),
    };
    // `D2 v4` is how Azure's documentation spells what its interface calls `Standard_D2_v4`.
    let instance_type = instance_type.replace(' ', "_");
    power::instance(provider, &instance_type).unwrap_or_else(|| panic!("no instance type {instance_type}"))
}

fn ccf_instance(inputs: &Inputs<'_>) -> Answers {
    inputs.ignore("coefficients");
    let (idle, full) = (watts(inputs.number("instance_min_w")), watts(inputs.number("instance_max_w")));
    let time = inputs.seconds("duration_s");
    let energy = PowerCurve::linear(idle, full).unwrap().at(inputs.percent("utilisation_percent")) * time;
    let hardware = hardware(inputs.text("provider"), inputs.text("instance_type"));
    let embodied = EmbodiedCarbon::new(hardware.embodied, hardware.lifetime).unwrap().charge(time, Share::ALL);
    number([("e_kwh", energy.kwh()), ("m_g", embodied.get())])
}

fn ccf_memory(inputs: &Inputs<'_>) -> Answers {
    let coefficient = inputs.number("kwh_per_gbh");
    assert!((coefficient - sci_core::sci::energy::MEMORY_KWH_PER_GB_HOUR).abs() < f64::EPSILON);
    let gigabytes = inputs.number("gb_hours") * inputs.number("replication");
    let energy = memory_energy(Bytes::new(gigabytes * BYTES_PER_GB).unwrap(), HOUR);
    let carbon = operational(energy, pue(inputs), intensity(inputs.number("i_g_per_kwh")));
    number([("e_kwh", (energy * pue(inputs)).kwh()), ("o_g", carbon.get())])
}

fn counter(inputs: &Inputs<'_>) -> Answers {
    // Upstream writes an unknown range as zero.
    let delta = |zone: &Inputs<'_>, [previous, current, max]: [&str; 3]| {
        let [previous, current, max] = [previous, current, max].map(|key| Joules::new(zone.number(key)).unwrap());
        counter_delta(previous, current, Some(max).filter(|range| *range > Joules::ZERO))
    };
    if inputs.has("zones") {
        let zones = inputs.objects("zones");
        let total: Joules = zones.iter().map(|zone| delta(zone, ["previous", "current", "max"]).unwrap()).sum();
        return number([("total_delta", total.get())]);
    }
    let answer = delta(inputs, ["previous_j", "current_j", "max_j"]);
    let answer = answer.map_or(Answer::NoValue, |energy| Answer::Number(energy.get()));
    Answers::from([("delta_j", answer)])
}

fn energy(inputs: &Inputs<'_>) -> Answers {
    if inputs.has("tdp_w") {
        let share = |key: &str| Share::new(inputs.number(key)).unwrap();
        let core = watts(inputs.number("tdp_w")) * share("tdp_coefficient") * share("utilisation");
        let all = thread_power(core, core, Utilization::FULL, Cores::new(inputs.number("cores")).unwrap());
        return number([("e_kwh", (all * inputs.hours("hours")).kwh())]);
    }
    inputs.ignore("duration");
    let parts = ["cpu/energy", "memory/energy", "network/energy"].into_iter().filter_map(|key| inputs.optional(key));
    number([("energy", parts.map(kwh).sum::<Joules>().kwh())])
}

fn if_sci_embodied(inputs: &Inputs<'_>) -> Answers {
    let config = inputs.object("config");
    let each = |key: &str| grams(config.number(key));
    let baseline_memory_gb = config.number("baseline_memory_gb");
    // Upstream scales its kilograms per GB by the baseline over 16 GB.
    let per_memory_gb = config.number("memory_emissions_kg_per_gb") * 1e3 * baseline_memory_gb / 16.0;
    let coefficients = PartEmissions {
        baseline: each("baseline_emissions_g"),
        baseline_vcpus: Cores::new(config.number("baseline_vcpus")).unwrap(),
        baseline_memory_gb,
        per_vcpu: each("vcpu_emissions_g"),
        per_memory_gb: grams(per_memory_gb),
        per_ssd: each("ssd_emissions_g"),
        per_hdd: each("hdd_emissions_g"),
        per_gpu: each("gpu_emissions_g"),
    };
    // Counts are small whole numbers.
    let count = |key: &str| format!("{:.0}", inputs.number(key)).parse().unwrap();
    let parts = ServerParts {
        vcpus: Cores::new(inputs.number("vcpus")).unwrap(),
        memory_gb: inputs.number("memory_gb"),
        ssds: count("ssd"),
        hdds: count("hdd"),
        gpus: count("gpu"),
    };
    let embodied = EmbodiedCarbon::new(coefficients.total(&parts), config.seconds("lifespan_s")).unwrap();
    config.all_read().unwrap();
    let usage = Share::new(inputs.number("usage_ratio")).unwrap();
    number([("m_g", embodied.charge(inputs.seconds("duration_s"), usage).get())])
}

/// Upstream's `carbon` is a rate per second; its `sci` the carbon of the whole duration.
fn legacy_sci(inputs: &Inputs<'_>) -> Answers {
    let [operational, embodied] = ["carbon-operational", "carbon-embodied"].map(|key| grams(inputs.number(key)));
    let unit = FunctionalUnit::new("hour", 1.0).unwrap();
    let sci = Sci::new(operational, embodied, unit, Signal::default());
    let per_hour = (sci.total() / inputs.seconds("duration")).unwrap();
    number([("carbon", per_hour.get() / HOUR.as_secs_f64()), ("sci", sci.score().unwrap().get())])
}

fn memory(inputs: &Inputs<'_>) -> Answers {
    let used = inputs.number("memory/capacity") * inputs.number("memory/utilization") / 100.0;
    let energy = memory_energy(Bytes::new(used * BYTES_PER_GB).unwrap(), inputs.seconds("duration"));
    number([("memory/energy", energy.kwh())])
}

fn operational_carbon(inputs: &Inputs<'_>) -> Answers {
    inputs.ignore("duration");
    let intensity = intensity(inputs.number("grid/carbon-intensity"));
    let carbon = operational(kwh(inputs.number("energy")), Pue::IDEAL, intensity);
    number([("carbon-operational", carbon.get())])
}

fn sci(inputs: &Inputs<'_>) -> Answers {
    let count = inputs.number("r");
    let sci = if let Some(carbon) = inputs.optional("c_g") {
        per_unit(grams(carbon), count)
    } else {
        let intensity = intensity(inputs.number("i_g_per_kwh"));
        let carbon = operational(kwh(inputs.number("e_kwh")), Pue::IDEAL, intensity);
        let unit = FunctionalUnit::new("hour of 500 users", count).unwrap();
        Sci::new(carbon, grams(inputs.number("m_g")), unit, Signal::default())
    };
    number([("sci_g", sci.score().unwrap().get())])
}

fn sci_edge(inputs: &Inputs<'_>) -> Answers {
    let carbon = grams(inputs.number("c_g"));
    match FunctionalUnit::new("unit", inputs.number("r")) {
        Err(_) => Answers::from([("error", Answer::Refused)]),
        Ok(unit) => {
            let score = Sci::new(carbon, GramsCo2e::ZERO, unit, Signal::default()).score();
            let answer = score.map_or(Answer::NoValue, |grams| Answer::Number(grams.get()));
            Answers::from([("if_result_g", answer)])
        }
    }
}

fn sci_embodied(inputs: &Inputs<'_>) -> Answers {
    if inputs.has("te_g") {
        let embodied = EmbodiedCarbon::new(grams(inputs.number("te_g")), inputs.hours("el_hours")).unwrap();
        return number([("m_g", embodied.charge(inputs.hours("tir_hours"), inputs.ratio("rr", "tor")).get())]);
    }
    let total = grams(inputs.number("device/emissions-embodied"));
    let embodied = EmbodiedCarbon::new(total, inputs.seconds("device/expected-lifespan")).unwrap();
    let charged = embodied.charge(inputs.seconds("duration"), inputs.ratio("vcpus-allocated", "vcpus-total"));
    number([("carbon-embodied", charged.get())])
}

fn teads_aws(inputs: &Inputs<'_>) -> Answers {
    let hardware = hardware("aws", inputs.text("instance_type"));
    let time = inputs.seconds("duration_s");
    let lifetime = if inputs.has("lifespan_s") { inputs.seconds("lifespan_s") } else { hardware.lifetime };
    let energy = hardware.curve.at(inputs.percent("utilisation_percent")) * time;
    let embodied = EmbodiedCarbon::new(hardware.embodied, lifetime).unwrap().charge(time, Share::ALL);
    number([("e_kwh", energy.kwh()), ("m_g", embodied.get())])
}

fn curve(percent: &[f64], watts_at: &[f64], scale: f64) -> PowerCurve {
    let points: Vec<(Utilization, Watts)> = percent
        .iter()
        .zip(watts_at)
        .map(|(percent, at)| (Utilization::new(percent / 100.0).unwrap(), watts(at * scale)))
        .collect();
    PowerCurve::from_points(&points).unwrap()
}

/// A curve of fractions of TDP, at the vector's load, for the vector's part of the processor.
fn tdp_curve_energy(inputs: &Inputs<'_>) -> Joules {
    let shape = inputs.object("curve");
    let curve = curve(&shape.numbers("x_percent"), &shape.numbers("y_fraction"), inputs.number("tdp_w"));
    let allocated = if inputs.has("vcpus_total") { inputs.ratio("vcpus_allocated", "vcpus_total") } else { Share::ALL };
    curve.at(inputs.percent("utilisation_percent")) * inputs.seconds("duration_s") * allocated
}

fn teads_curve(inputs: &Inputs<'_>) -> Answers {
    number([("e_kwh", tdp_curve_energy(inputs).kwh())])
}

fn teads_pipeline(inputs: &Inputs<'_>) -> Answers {
    let cpu = tdp_curve_energy(inputs);
    let mut answers = number([("cpu_energy_kwh", cpu.kwh())]);
    if inputs.has("i_g_per_kwh") {
        let network = kwh(inputs.optional("network_energy_kwh").unwrap_or(0.0));
        let carbon = operational(cpu + network, Pue::IDEAL, intensity(inputs.number("i_g_per_kwh")));
        let unit = FunctionalUnit::new("run", inputs.number("r")).unwrap();
        let sci = Sci::new(carbon, grams(inputs.number("m_g")), unit, Signal::default());
        answers.extend(number([
            ("o_g", sci.operational().get()),
            ("c_g", sci.total().get()),
            ("sci_g", sci.score().unwrap().get()),
        ]));
    }
    answers
}
