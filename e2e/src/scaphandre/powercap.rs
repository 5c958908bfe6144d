//! Energy counters as Linux shows them under /sys/class/powercap, driven by a clock instead of a processor.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Where the counters of Intel processors wrap.
const RANGE_MICROJOULES: u64 = 262_143_328_850;
/// From one reading of the clock to the next: short against any scrape interval.
const PERIOD: Duration = Duration::from_millis(20);
const MICRO: f64 = 1e6;

/// The counters could not be written.
#[derive(Debug, thiserror::Error)]
#[error("write the energy counter {path}")]
#[non_exhaustive]
pub struct PowercapError {
    pub path: PathBuf,
    pub source: std::io::Error,
}

/// One counter: a processor's package, or a part of it that the hardware counts by itself.
#[derive(Debug, Clone)]
pub struct Zone {
    socket: u16,
    /// Number within the package; none for the package itself.
    part: Option<u16>,
    name: String,
    watts: f64,
    start_microjoules: u64,
}

/// A folder with counters that run until it is dropped.
#[derive(Debug)]
pub struct Powercap {
    folder: PathBuf,
    meters: Arc<Mutex<Vec<Meter>>>,
    stop: Option<Sender<()>>,
    writer: Option<JoinHandle<()>>,
}

/// A zone, and what it has used.
#[derive(Debug)]
struct Meter {
    zone: Zone,
    joules: f64,
    at: Instant,
}

impl Zone {
    /// A processor that draws this much.
    pub fn package(socket: u16, watts: f64) -> Self {
        Self { socket, part: None, name: format!("package-{socket}"), watts, start_microjoules: 0 }
    }

    /// The memory of a processor, which its package does not include.
    pub fn dram(socket: u16, watts: f64) -> Self {
        Self { part: Some(0), name: "dram".to_owned(), ..Self::package(socket, watts) }
    }

    /// The cores of a processor, which its package includes.
    pub fn core(socket: u16, watts: f64) -> Self {
        Self { part: Some(1), name: "core".to_owned(), ..Self::package(socket, watts) }
    }

    /// Starts so high that it wraps after this long.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "far below the range of a counter")]
    pub fn wraps_after(mut self, time: Duration) -> Self {
        let before = (self.watts * time.as_secs_f64() * MICRO) as u64;
        self.start_microjoules = RANGE_MICROJOULES.saturating_sub(before);
        self
    }

    /// The folder's name in the kernel.
    fn folder_name(&self) -> String {
        match self.part {
            None => format!("intel-rapl:{}", self.socket),
            Some(part) => format!("intel-rapl:{}:{part}", self.socket),
        }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "joules since the start of a test")]
    fn reading(&self, joules: f64) -> u64 {
        (self.start_microjoules + (joules * MICRO) as u64) % RANGE_MICROJOULES
    }
}

impl Powercap {
    /// Makes the counters below `folder` and lets them run.
    pub fn start(folder: &Path, zones: impl IntoIterator<Item = Zone>) -> Result<Self, PowercapError> {
        let at = Instant::now();
        let meters: Vec<Meter> = zones.into_iter().map(|zone| Meter { zone, joules: 0.0, at }).collect();
        for meter in &meters {
            let zone = folder.join(meter.zone.folder_name());
            std::fs::create_dir_all(&zone).map_err(|source| PowercapError { path: zone.clone(), source })?;
            write(&zone.join("name"), &meter.zone.name)?;
            write(&zone.join("max_energy_range_uj"), &RANGE_MICROJOULES.to_string())?;
            meter.write(folder)?;
        }
        let meters = Arc::new(Mutex::new(meters));
        let (stop, stopped) = mpsc::channel();
        let (shared, place) = (Arc::clone(&meters), folder.to_owned());
        let writer = std::thread::spawn(move || {
            while stopped.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
                tick(&mut shared.lock().unwrap_or_else(PoisonError::into_inner), &place);
            }
        });
        Ok(Self { folder: folder.to_owned(), meters, stop: Some(stop), writer: Some(writer) })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the machine has used since the start, in joules: its packages and their memory.
    pub fn joules(&self) -> f64 {
        let meters = self.meters.lock().unwrap_or_else(PoisonError::into_inner);
        meters.iter().filter(|meter| meter.zone.name != "core").map(|meter| meter.joules).sum()
    }
}

impl Drop for Powercap {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(writer) = self.writer.take() {
            // It panics never; and there is nobody to tell.
            drop(writer.join());
        }
    }
}

impl Meter {
    fn advance(&mut self) {
        let now = Instant::now();
        self.joules += self.zone.watts * now.duration_since(self.at).as_secs_f64();
        self.at = now;
    }

    fn write(&self, folder: &Path) -> Result<(), PowercapError> {
        let zone = folder.join(self.zone.folder_name());
        let (path, new) = (zone.join("energy_uj"), zone.join("energy_uj.new"));
        write(&new, &self.zone.reading(self.joules).to_string())?;
        // A reader sees the old value or the new one, never half of it.
        std::fs::rename(&new, &path).map_err(|source| PowercapError { path, source })
    }
}

fn tick(meters: &mut [Meter], folder: &Path) {
    for meter in meters {
        meter.advance();
        // Fails only when the folder is gone, and then nobody reads it.
        drop(meter.write(folder));
    }
}

/// As the kernel writes: with an end of line.
fn write(path: &Path, value: &str) -> Result<(), PowercapError> {
    std::fs::write(path, format!("{value}\n")).map_err(|source| PowercapError { path: path.to_owned(), source })
}
