use super::*;

const HOUR: Duration = Duration::from_hours(1);

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
}

/// 32 threads, of which 8 serve, 4 to 8 compute for a while, and the system has 0.64.
fn busy_node() -> SimulatedNode {
    let web = SimulatedPod::new("shop", "web-0", CpuUse::Constant(8.0));
    let steps = CpuUse::Steps(vec![(seconds(600), 4.0), (seconds(1_200), 8.0)]);
    let batch = SimulatedPod::new("jobs", "batch-0", steps).from(seconds(300)).until(seconds(1_800));
    let noise = CpuUse::Noisy { mean: 2.0, spread: 1.0, every: seconds(11), seed: 5 };
    let noisy = SimulatedPod::new("jobs", "noisy-0", noise);
    SimulatedNode::new("n1", HardwareClass::old()).pod(web).pod(batch).pod(noisy)
}

#[test]
fn joules_are_watts_of_the_curve_times_seconds() {
    let pod = SimulatedPod::new("shop", "web-0", CpuUse::Constant(15.36));
    let node = SimulatedNode::new("n1", HardwareClass::old()).pod(pod).start();
    // 15.36 + 0.64 of 32 threads: half busy, 260 W and 24 W.
    let minute = node.window(seconds(60), seconds(120));
    assert!(close(minute.package(), 260.0 * 60.0));
    assert!(close(minute.dram(), 24.0 * 60.0));
    assert!(close(minute.utilization(32), 0.5));
    assert!(close(minute.pods[0].joules(), 284.0 * 60.0 * 15.36 / 32.0));
    assert!(close(minute.pods[0].cpu_seconds, 15.36 * 60.0));
    assert!(close(node.watts(seconds(90)), 284.0));
}

#[test]
fn a_workload_is_dear_on_one_hardware_and_cheap_on_another() {
    let watts = |class: HardwareClass, name: &str| {
        let pod = SimulatedPod::new("shop", name, CpuUse::Constant(8.0))
            .power_factor("old", 0.5)
            .power_factor("efficient", 2.0);
        let loaded = SimulatedNode::new("n", class.clone()).pod(pod).start().watts(Duration::ZERO);
        loaded - SimulatedNode::new("n", class).start().watts(Duration::ZERO)
    };
    // Slopes of the curves there: 360 W over 32 threads and 170 W over 64, memory 20 W and 16 W.
    assert!(close(watts(HardwareClass::old(), "a"), 8.0 * 0.5 * 360.0 / 32.0 + 8.0 * 20.0 / 32.0));
    assert!(close(watts(HardwareClass::efficient(), "a"), 8.0 * 2.0 * 170.0 / 64.0 + 8.0 * 16.0 / 64.0));
}

#[test]
fn answers_do_not_depend_on_the_order_of_questions() {
    let (forward, backward) = (busy_node().start(), busy_node().start());
    let instants: Vec<Duration> = (0..240).map(|step| seconds(step * 15)).collect();
    let window = |node: &LiveNode, at: Duration| node.window(at, at + seconds(15));
    let asked: Vec<Window> = instants.iter().map(|&at| window(&forward, at)).collect();
    let mut asked_backward: Vec<Window> = instants.iter().rev().map(|&at| window(&backward, at)).collect();
    asked_backward.reverse();
    assert_eq!(asked, asked_backward);

    let sum: f64 = asked.iter().map(Window::joules).sum();
    assert!(close(sum, forward.window(Duration::ZERO, HOUR).joules()));
}

#[test]
fn pods_and_system_share_the_busy_part() {
    let hour = busy_node().start().window(Duration::ZERO, HOUR);
    let pods: f64 = hour.pods.iter().map(|pod| pod.cpu_seconds).sum();
    assert!(close(pods + 0.64 * 3_600.0, hour.busy_seconds));
    assert!(close(hour.pods[1].seconds, 1_500.0));
    let energy: f64 = hour.pods.iter().map(PodUse::joules).sum();
    assert!(energy < hour.joules() * hour.utilization(32) * 1.05, "{energy} of {}", hour.joules());
    let legacy: f64 = hour.pods.iter().map(|pod| pod.legacy_joules).sum();
    assert!(legacy < hour.joules());
}

#[test]
fn a_node_gives_no_more_threads_than_it_has() {
    let greedy = SimulatedPod::new("a", "greedy", CpuUse::Constant(100.0));
    let node = SimulatedNode::new("n1", HardwareClass::old()).pod(greedy).start();
    let second = node.window(Duration::ZERO, seconds(1));
    assert!(close(second.busy_seconds, 32.0));
    assert!(close(second.package(), 340.0));
}

#[test]
fn a_counter_wraps_when_told_and_starts_again_with_a_reboot() {
    let node = busy_node().wrapping_at(seconds(1_000)).reboot(seconds(2_000), seconds(60)).start();
    let counter = |at: u64| node.counter_microjoules(Domain::Package, 0, seconds(at));
    assert!(counter(999) > 262_000e6);
    assert!(counter(1_001) < 1_000e6);
    assert!(!node.is_up(seconds(2_030)));
    assert_eq!(node.booted(seconds(2_100)), seconds(2_060));
    assert!(close(node.window(seconds(2_000), seconds(2_060)).joules(), 0.0));
    assert!(close(counter(2_060), 0.0));
    let since = node.window(seconds(2_060), seconds(2_100)).package_joules[0];
    assert!((counter(2_100) - since * 1e6).abs() <= 1.0);
    // The other socket did not wrap.
    assert!(node.counter_microjoules(Domain::Package, 1, seconds(1_001)) > 100_000e6);
}

#[test]
fn pods_that_come_and_go_leave_the_past_as_it_was() {
    let node = busy_node().start();
    let before = node.window(Duration::ZERO, seconds(900));
    drop(node.window(Duration::ZERO, HOUR));
    node.start_pod(SimulatedPod::new("late", "late-0", CpuUse::Constant(6.0)).from(seconds(900)));
    let again = node.window(Duration::ZERO, seconds(900));
    assert!(close(before.joules(), again.joules()));
    let uid = node.pods()[3].uid.clone();
    node.stop_pod(&uid, seconds(1_000));
    let used = node.pod_window(&uid, Duration::ZERO, HOUR).unwrap();
    assert!(close(used.cpu_seconds, 600.0));
}

#[test]
fn a_seed_makes_the_same_node_again() {
    let node = |seed| SimulatedNode::seeded("n1", HardwareClass::efficient(), 10, seed);
    assert_eq!(node(1), node(1));
    assert_ne!(node(1), node(2));
    let hour = node(1).start().window(Duration::ZERO, HOUR);
    assert!((0.35..0.75).contains(&hour.utilization(64)), "{}", hour.utilization(64));
}
