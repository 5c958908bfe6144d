use super::grams;
use crate::{
    quantity::{GramsPerHour, Pue, Watts},
    scaling::{
        Replicas,
        savings::{Basis, FreedRoom, ReplicaOverhead, Saving, SavingNote, saving},
    },
};

/// 10 W idle, 25 W of the machine, 2 g/h embodied; 400 g/kWh at a PUE of 1.25.
fn of(plain: u32, green: u32, basis: Basis, freed: FreedRoom) -> Saving {
    let overhead = ReplicaOverhead {
        idle: Watts::new(10.0).unwrap(),
        machine_share: Watts::new(25.0).unwrap(),
        embodied: GramsPerHour::new(2.0).unwrap(),
        basis,
    };
    saving(Replicas { plain, green, floor: 0 }, &overhead, freed, grams(400.0), Pue::new(1.25).unwrap())
}

#[test]
fn machines_count_only_where_they_leave() {
    // Idle: 10 W * 1.25 * 400 / 1000 = 5 g/h. Machine: 12.5 + 2 = 14.5 g/h. Three replicas.
    let kept = of(10, 7, Basis::Measured, FreedRoom::Kept);
    assert!((kept.grams_per_hour.get() - 15.0).abs() < 1e-9);
    assert!((kept.grams_per_hour_if_machines_leave.get() - 43.5).abs() < 1e-9);
    assert_eq!((kept.replicas, kept.note), (3, SavingNote::MeasuredIdleOnly));
    let removed = of(10, 7, Basis::Modelled, FreedRoom::Removed);
    assert!((removed.grams_per_hour.get() - 58.5).abs() < 1e-9);
    assert_eq!(removed.grams_per_hour_if_machines_leave, GramsPerHour::ZERO);
    assert_eq!(removed.note, SavingNote::Modelled);
    assert_eq!(of(10, 7, Basis::Measured, FreedRoom::Unknown).note, SavingNote::MeasuredIdleOnly);
}

#[test]
fn what_nobody_knows_is_not_claimed() {
    let unknown = of(10, 7, Basis::Assumed, FreedRoom::Removed);
    assert_eq!((unknown.grams_per_hour, unknown.note), (GramsPerHour::ZERO, SavingNote::Unknown));
    assert!(unknown.note.text().contains("no saving is claimed"));
}

#[test]
fn without_a_replica_less_nothing_is_saved() {
    let none = of(7, 7, Basis::Measured, FreedRoom::Removed);
    assert_eq!((none.grams_per_hour, none.replicas, none.note), (GramsPerHour::ZERO, 0, SavingNote::Nothing));
    assert_eq!(of(5, 7, Basis::Measured, FreedRoom::Removed).grams_per_hour, GramsPerHour::ZERO);
}
