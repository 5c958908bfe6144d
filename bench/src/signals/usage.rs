//! What processes use, as the system counts it.

use std::{fs, io, time::Duration};

use anyhow::Context as _;
use nix::{
    errno::Errno,
    sys::{
        resource::{UsageWho, getrusage},
        time::TimeVal,
    },
};

/// CPU time of this process, in user and system mode.
///
/// # Errors
/// When the system does not say it.
pub fn cpu_time() -> anyhow::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    Ok(duration(usage.user_time())? + duration(usage.system_time())?)
}

/// CPU time of the present threads of another process, to the nanosecond.
///
/// # Errors
/// When it has ended.
pub fn cpu_time_of(process: u32) -> anyhow::Result<Duration> {
    let mut sum = Duration::ZERO;
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let text = match fs::read_to_string(thread?.path().join("schedstat")) {
            Ok(text) => text,
            // It has ended since the folder was listed: ENOENT where it is gone, ESRCH where it is just going.
            Err(error) if has_ended(&error) => continue,
            Err(error) => return Err(error.into()),
        };
        let nanoseconds = text.split_whitespace().next().context("an empty schedstat")?;
        sum += Duration::from_nanos(nanoseconds.parse()?);
    }
    Ok(sum)
}

fn has_ended(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(Errno::ESRCH as i32)
}

/// Resident memory of this process now.
///
/// # Errors
/// When the system does not say it.
pub fn resident_mebibytes() -> anyhow::Result<f64> {
    status("VmRSS:")
}

/// The most that ever was.
///
/// # Errors
/// As [`resident_mebibytes`].
pub fn peak_resident_mebibytes() -> anyhow::Result<f64> {
    status("VmHWM:")
}

fn status(field: &str) -> anyhow::Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
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
    fn threads_that_end_meanwhile_do_not_matter() {
        let process = std::process::id();
        let ending = std::thread::spawn(|| {
            for _ in 0..2_000 {
                std::thread::spawn(|| {}).join().unwrap();
            }
        });
        let mut looks = 0;
        while !ending.is_finished() {
            cpu_time_of(process).unwrap();
            looks += 1;
        }
        ending.join().unwrap();
        assert!(looks > 0);
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
