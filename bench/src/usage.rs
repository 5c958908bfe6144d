//! What processes use, as the system counts it.

use std::{fs, time::Duration};

use anyhow::Context as _;
use nix::{
    sys::{
        resource::{UsageWho, getrusage},
        time::TimeVal,
    },
    time::clock_getcpuclockid,
    unistd::Pid,
};

/// CPU time of this process, in user and system mode.
///
/// # Errors
/// When the system does not say it.
pub fn cpu_time() -> anyhow::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    Ok(duration(usage.user_time())? + duration(usage.system_time())?)
}

/// CPU time of another process, with the threads that it has ended.
///
/// # Errors
/// When it has ended itself.
pub fn cpu_time_of(process: u32) -> anyhow::Result<Duration> {
    let clock = clock_getcpuclockid(Pid::from_raw(i32::try_from(process)?))?;
    Ok(clock.now()?.into())
}

/// Resident memory of this process now.
///
/// # Errors
/// When the system does not say it.
pub fn resident_mebibytes() -> anyhow::Result<f64> {
    status("self", "VmRSS:")
}

/// Resident memory of another process now.
///
/// # Errors
/// When it has ended.
pub fn resident_mebibytes_of(process: u32) -> anyhow::Result<f64> {
    status(&process.to_string(), "VmRSS:")
}

/// The most that ever was.
///
/// # Errors
/// As [`resident_mebibytes`].
pub fn peak_resident_mebibytes() -> anyhow::Result<f64> {
    status("self", "VmHWM:")
}

fn status(process: &str, field: &str) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)).with_context(|| format!("no {field}"))?;
    let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kibibytes / 1_024.0)
}

fn duration(time: TimeVal) -> anyhow::Result<Duration> {
    let whole = Duration::from_secs(u64::try_from(time.tv_sec())?);
    Ok(whole + Duration::from_micros(u64::try_from(time.tv_usec())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ended_threads_used_is_not_forgotten() {
        let process = std::process::id();
        let work = Duration::from_millis(20);
        let before = cpu_time_of(process).unwrap();
        let thread = std::thread::spawn(move || {
            let mut text = String::new();
            while cpu_time_of(process).unwrap() < before + work {
                text.push_str(&"x".repeat(4_096));
            }
        });
        thread.join().unwrap();
        assert!(cpu_time_of(process).unwrap() >= before + work);
    }

    #[test]
    fn work_costs_time_and_memory() {
        let work = Duration::from_millis(20);
        let process = std::process::id();
        let (all_before, threads_before) = (cpu_time().unwrap(), cpu_time_of(process).unwrap());
        let mut text = String::new();
        while cpu_time_of(process).unwrap() < threads_before + work {
            text.push_str(&"x".repeat(4_096));
        }
        // Rounded to microseconds.
        assert!(cpu_time().unwrap() + Duration::from_millis(1) >= all_before + work);
        let (now, peak) = (resident_mebibytes().unwrap(), peak_resident_mebibytes().unwrap());
        assert!(now > 1.0 && peak >= now * 0.99, "{now} {peak} {}", text.len());
    }
}
