//! Synthetic patients as a data set: for trying out a training, and for the experiments on phantoms.

use std::path::Path;

use super::labels::DiscLabels;
use super::manifest::{ManifestError, Reading};
use super::spider::{LabelledDisc, ScanCase};
use crate::phantom::Phantom;
use crate::spine::discs_between;

/// Adds `studies` patients from `seed` on to `reading`, with their marked vertebrae and exact grades.
pub(super) fn load(studies: usize, seed: u64, reading: &mut Reading) -> Result<(), ManifestError> {
    for seed in seed..seed + studies as u64 {
        let name = format!("phantom-{seed:06}");
        let patient = reading.patient(&name);
        reading.add(Path::new(&name), || {
            let study = Phantom::generate(seed);
            let discs = discs_between(&study.vertebrae).into_iter().filter_map(|disc| {
                let labels = DiscLabels::exact(study.grades.get(&disc.level)?);
                Some(LabelledDisc { disc, labels })
            });
            let (discs, vertebrae) = (discs.collect(), study.vertebrae.clone());
            let (volume, boxes) = (study.volume, study.boxes);
            Ok(ScanCase { patient, name: name.clone(), volume, vertebrae, top_is_extrapolated: false, discs, boxes })
        })?;
    }
    Ok(())
}
