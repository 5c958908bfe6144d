//! What tests share: bounded concurrency.

use std::fs::{File, TryLockError};
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;

use crate::control_plane::{ControlPlane, ControlPlaneError, Options};
use crate::wait::PERIOD;

/// How many control planes may run at once; without it, one per core.
pub const SLOTS_VARIABLE: &str = "KUBE_SCI_CONTROL_PLANES";

/// The right to run one control plane, for as long as it is held.
///
/// It is a lock on a file, so that it also holds between the processes of a test runner.
#[derive(Debug)]
pub struct Slot {
    _file: File,
}

/// A control plane that holds a slot.
#[derive(Debug)]
pub struct SlottedControlPlane {
    plane: ControlPlane,
    _slot: Slot,
}

/// Waits for a slot and starts a control plane in it.
pub async fn control_plane() -> Result<SlottedControlPlane, ControlPlaneError> {
    control_plane_with(Options::default()).await
}

/// As [`control_plane`], with options.
pub async fn control_plane_with(options: Options) -> Result<SlottedControlPlane, ControlPlaneError> {
    let slot = Slot::take().await?;
    Ok(SlottedControlPlane { plane: ControlPlane::start(options).await?, _slot: slot })
}

impl Slot {
    /// Waits until fewer control planes run than may.
    pub async fn take() -> Result<Self, ControlPlaneError> {
        let folder = std::env::temp_dir().join(format!("kube-sci-control-plane-slots-{}", nix::unistd::getuid()));
        let failed = |source| ControlPlaneError::Folder { path: folder.clone(), source };
        std::fs::create_dir_all(&folder).map_err(failed)?;
        loop {
            for slot in 0..slots() {
                let path: PathBuf = folder.join(slot.to_string());
                let file = File::create(path).map_err(failed)?;
                match file.try_lock() {
                    Ok(()) => return Ok(Self { _file: file }),
                    Err(TryLockError::WouldBlock) => {}
                    Err(TryLockError::Error(source)) => return Err(failed(source)),
                }
            }
            tokio::time::sleep(PERIOD).await;
        }
    }
}

impl Deref for SlottedControlPlane {
    type Target = ControlPlane;

    fn deref(&self) -> &ControlPlane {
        &self.plane
    }
}

impl DerefMut for SlottedControlPlane {
    fn deref_mut(&mut self) -> &mut ControlPlane {
        &mut self.plane
    }
}

fn slots() -> usize {
    let wanted = std::env::var(SLOTS_VARIABLE).ok().and_then(|text| text.parse().ok());
    wanted.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).max(1)
}
