//! Synthetic lumbar MRI: T2 sagittal studies from a seed, with exact truth.
//!
//! A patient is drawn (spine, lesions, soft tissue), then imaged like a clinical T2 TSE series: about 15 sagittal
//! slices of 4 mm, pixels of about 0.6 mm, partial volume, blur, coil shading and Rician noise. The truth is computed
//! from the same solids that are painted. One seed gives one study, bit by bit, whatever the number of threads.

mod anatomy;
mod body;
mod disc;
mod imaging;
mod pathology;
mod profile;
mod surroundings;
mod texture;
mod truth;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use thiserror::Error;

use crate::spine::{DiscLevel, Grading, PerGrading, SliceBox, Vertebra};
use crate::volume::Volume;

use anatomy::Spine;
use imaging::{Acquisition, Scene};
use profile::Profile;
use surroundings::Surroundings;
use texture::{Texture, stream};

pub use pathology::PathologyRates;

/// Why a phantom cannot be asked for.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum PhantomError {
    /// The grading has no such grade.
    #[error("{grading} has no grade {grade}")]
    NoSuchGrade {
        /// Grading asked for.
        grading: Grading,
        /// Grade asked for.
        grade: u8,
    },
}

/// What a phantom shall show.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PhantomSettings {
    /// Everything not fixed below follows from it.
    pub seed: u64,
    /// How common findings are.
    pub pathology: PathologyRates,
    fixed: BTreeMap<(DiscLevel, Grading), u8>,
}

impl PhantomSettings {
    /// Settings with usual pathology.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// Fixes one grade of one disc; grades not fixed are drawn, plausible beside the fixed ones.
    ///
    /// # Errors
    /// If the grading has no such grade (Pfirrmann 1–5, narrowing 1–4, the others 0 or 1).
    pub fn with_grade(mut self, level: DiscLevel, grading: Grading, grade: u8) -> Result<Self, PhantomError> {
        if grading.class_from_grade(grade).is_none() {
            return Err(PhantomError::NoSuchGrade { grading, grade });
        }
        self.fixed.insert((level, grading), grade);
        Ok(self)
    }

    /// Fixes every grade of every disc to its healthy value.
    #[must_use]
    pub fn healthy(mut self) -> Self {
        for level in DiscLevel::ALL {
            for grading in Grading::ALL {
                self.fixed.insert((level, grading), grading.grade_from_class(0));
            }
        }
        self
    }

    fn fixed_grade(&self, level: DiscLevel, grading: Grading) -> Option<u8> {
        self.fixed.get(&(level, grading)).copied()
    }
}

/// A synthetic study and its truth.
#[derive(Debug, Clone, PartialEq)]
pub struct PhantomStudy {
    /// T2 sagittal volume; voxel values are whole numbers, not negative, cerebrospinal fluid some hundreds.
    pub volume: Volume,
    /// Labelled bodies that lie wholly in the image, from the thorax down, outlined on the slices that show them well.
    pub vertebrae: Vec<Vertebra>,
    /// Grades of the six discs, as a reader says them.
    pub grades: BTreeMap<DiscLevel, PerGrading<u8>>,
    /// Boxes of endplate defects, marrow changes, slips and stenoses, by level, then slice; none for the graded
    /// degeneration and narrowing of a whole disc.
    pub boxes: Vec<SliceBox>,
}

/// Generator of synthetic studies.
#[derive(Debug, Clone, Copy)]
pub struct Phantom;

impl Phantom {
    /// The study of a seed, with usual pathology.
    #[must_use]
    pub fn generate(seed: u64) -> PhantomStudy {
        Self::with_settings(&PhantomSettings::new(seed))
    }

    /// The study that settings ask for.
    ///
    /// # Panics
    /// Never: geometry and voxel count are valid by construction.
    #[must_use]
    pub fn with_settings(settings: &PhantomSettings) -> PhantomStudy {
        let part = |part: u64| stream(settings.seed, part);
        let pathology = pathology::draw(&mut part(0), settings);
        let spine = Spine::draw(&mut part(1), &pathology);
        let profile = Profile::draw(&mut part(2), &spine, &pathology);
        let surroundings = Surroundings::draw(&mut part(3), &spine, profile);
        let acquisition = Acquisition::draw(&mut part(4), &spine).expect("directions are rotated unit vectors");
        let scene = Scene { spine, surroundings, texture: Texture::new(&mut part(5)) };
        let volume = acquisition.image(&scene, settings.seed).expect("every slice is rows × columns");
        PhantomStudy {
            volume,
            vertebrae: truth::vertebrae(&scene, &acquisition),
            boxes: truth::boxes(&scene, &acquisition, &pathology),
            grades: pathology.iter().map(|(level, finding)| (*level, finding.grades.clone())).collect(),
        }
    }
}
