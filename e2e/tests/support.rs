//! What several scenarios share.

use std::time::Duration;

use kube_sci_e2e::wait::{Late, eventually};

/// Processes of a group that still run. Those that are dead but not yet waited for by their parent do not count.
pub fn running_members(group: i32) -> Vec<i32> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let stat = |process: std::fs::DirEntry| std::fs::read_to_string(process.path().join("stat")).ok();
    processes.filter_map(stat).filter_map(|stat| member_of(group, &stat)).collect()
}

/// True while the process runs; false for one that is dead but not yet waited for.
pub fn is_running(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| state_of(&stat) != "Z")
}

pub async fn wait_group_gone(group: i32) -> Result<(), Late> {
    eventually(Duration::from_secs(10), "an empty process group", async || match running_members(group) {
        left if left.is_empty() => Ok(()),
        left => Err(format!("{left:?} left")),
    })
    .await
}

fn member_of(group: i32, stat: &str) -> Option<i32> {
    let own_group: i32 = fields(stat).nth(2)?.parse().ok()?;
    let pid = stat.split(' ').next()?.parse().ok()?;
    (own_group == group && state_of(stat) != "Z").then_some(pid)
}

fn state_of(stat: &str) -> &str {
    fields(stat).next().unwrap_or("Z")
}

/// Fields behind the program's name, which may hold spaces: state, parent, group, ...
fn fields(stat: &str) -> impl Iterator<Item = &str> {
    stat.rsplit_once(')').map_or("", |(_name, rest)| rest).split_whitespace()
}
