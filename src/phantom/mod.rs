//! Synthetic lumbar MRI: T2 sagittal studies from a seed, with exact truth.
//!
//! A patient is drawn (`anatomy` with `body` and `disc`, `pathology`, `surroundings` with `organs`), painted plane by
//! plane (`scene`, `canvas`, `contrast`) and imaged like a clinical T2 TSE or SPACE series (`protocol`, `imaging`, `coil`,
//! `formation`). The `truth` is computed from the same solids that are painted. What varies, and how far, is all in `parameters`. One seed gives one
//! study, bit by bit, whatever the number of threads.

mod anatomy;
mod body;
mod canvas;
mod coil;
mod contrast;
mod disc;
mod formation;
mod frame;
mod imaging;
mod organs;
mod parameters;
mod pathology;
mod profile;
mod protocol;
mod scene;
mod solids;
mod surroundings;
mod texture;
mod truth;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use thiserror::Error;

use crate::spine::{Disc, DiscLevel, Grading, PerGrading, SliceBox, Vertebra, discs_between};
use crate::volume::{Volume, VolumeGeometry, WindowLevel};

use anatomy::Spine;
use imaging::Acquisition;
use pathology::{Pathology, Transition};
use profile::Profile;
use scene::Scene;
use surroundings::Surroundings;
use texture::{Texture, stream};

pub(crate) use imaging::Sequence;
pub(crate) use parameters::PhantomParameters;

/// Why a phantom cannot be asked for.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub(crate) enum PhantomError {
    /// Phantoms have no truth of the grading.
    #[error("synthetic studies do not know {0}")]
    NoSuchGrading(Grading),
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
    /// How phantoms vary.
    pub(crate) parameters: PhantomParameters,
    fixed: BTreeMap<(DiscLevel, Grading), u8>,
}

impl PhantomSettings {
    /// The gradings that phantoms have truth of.
    pub(crate) const GRADINGS: [Grading; 8] = Grading::PAPER;

    /// Settings with usual pathology.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// Fixes one grade of one disc; grades not fixed are drawn, plausible beside the fixed ones.
    ///
    /// # Errors
    /// If phantoms do not have the grading or it no such grade (Pfirrmann 1–5, narrowing 1–4, the others 0 or 1).
    pub(crate) fn with_grade(mut self, level: DiscLevel, grading: Grading, grade: u8) -> Result<Self, PhantomError> {
        if !Self::GRADINGS.contains(&grading) {
            return Err(PhantomError::NoSuchGrading(grading));
        }
        if grading.class_from_grade(grade).is_none() {
            return Err(PhantomError::NoSuchGrade { grading, grade });
        }
        self.fixed.insert((level, grading), grade);
        Ok(self)
    }

    /// Fixes every grade of every disc to its healthy value.
    #[must_use]
    pub(crate) fn healthy(mut self) -> Self {
        for level in DiscLevel::ALL {
            for grading in Self::GRADINGS {
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
    /// T2 sagittal volume; voxel values are whole numbers, not negative.
    pub volume: Volume,
    /// How it was made: TSE or SPACE.
    pub(crate) sequence: Sequence,
    /// Labelled bodies that lie wholly in the image, from the thorax down, outlined on the slices that show them well.
    pub vertebrae: Vec<Vertebra>,
    /// Grades of the six discs, as a reader says them.
    pub grades: BTreeMap<DiscLevel, PerGrading<u8>>,
    /// Boxes of endplate defects, marrow changes, slips and stenoses, by level, then slice; none for the graded
    /// degeneration and narrowing of a whole disc.
    pub boxes: Vec<SliceBox>,
    /// Free bodies of lumbar type: five, four where L5 has grown together with the sacrum, six where S1 is free. Labels
    /// are those of the bone all the same: L5 is the body above S1.
    pub lumbar_bodies: u8,
}

/// One series of a synthetic study.
#[derive(Debug, Clone, PartialEq)]
pub struct PhantomSeries {
    /// Kind of series.
    pub sequence: Sequence,
    /// Its image.
    pub volume: Volume,
    /// Slices in other planes, which localizers have in the same series.
    pub other_planes: Vec<Volume>,
    /// Thickness of its slices, mm; they may lie further apart.
    pub thickness_mm: f64,
    /// Bits that its values use: 8, 12 or 16.
    pub bits: u8,
    /// Display window that the scanner stores with it.
    pub window: WindowLevel,
}

/// A disc of a phantom with the part of the scan around it.
#[derive(Debug, Clone, PartialEq)]
pub struct PhantomDisc {
    /// The part of the scan.
    pub volume: Volume,
    pub disc: Disc,
    /// Its grades, as a reader says them.
    pub grades: PerGrading<u8>,
}

/// A synthetic patient with an appointment at a scanner.
pub struct PhantomPatient {
    seed: u64,
    parameters: PhantomParameters,
    pathology: Pathology,
    scene: Scene,
    acquisition: Acquisition,
}

impl PhantomPatient {
    /// The patient that settings ask for.
    ///
    /// # Panics
    /// Never: geometry is valid by construction.
    #[must_use]
    pub fn draw(settings: &PhantomSettings) -> Self {
        let part = |part: u64| stream(settings.seed, part);
        let parameters = settings.parameters;
        let pathology = pathology::draw(&mut part(0), settings);
        let spine = Spine::draw(&mut part(1), &parameters, &pathology);
        let profile = Profile::draw(&mut part(2), &parameters.build, &spine, &pathology);
        let surroundings = Surroundings::draw(&mut part(3), &parameters, &spine, &pathology, profile);
        let acquisition =
            Acquisition::draw(&mut part(4), &parameters.scanner, &spine).expect("directions are rotated unit vectors");
        let scene = Scene { spine, surroundings, texture: Texture::new(&mut part(5)) };
        Self { seed: settings.seed, parameters, pathology, scene, acquisition }
    }

    /// The T2 sagittal study with its truth.
    #[must_use]
    pub fn study(&self) -> PhantomStudy {
        self.study_of(&self.t2())
    }

    /// The same with the image at hand, which [`Self::t2`] made.
    #[must_use]
    pub(crate) fn study_of(&self, t2: &PhantomSeries) -> PhantomStudy {
        PhantomStudy {
            volume: t2.volume.clone(),
            sequence: t2.sequence,
            vertebrae: self.vertebrae(),
            boxes: self.boxes(),
            grades: self.pathology.grades(),
            lumbar_bodies: match self.pathology.transition {
                Transition::None => 5,
                Transition::Sacralized => 4,
                Transition::Lumbarized => 6,
            },
        }
    }

    /// The T2 sagittal series alone.
    #[must_use]
    pub(crate) fn t2(&self) -> PhantomSeries {
        self.series(&self.acquisition)
    }

    /// What else is in the study: one series of localizers in three planes, and a T1 sagittal series of the same slices.
    ///
    /// # Panics
    /// Never: geometry is valid by construction.
    #[must_use]
    pub(crate) fn companions(&self) -> Vec<PhantomSeries> {
        let (mut rng, scanner) = (stream(self.seed, 6), &self.parameters.scanner);
        let localizers = self.acquisition.localizers(&mut rng, scanner).expect("axes of the patient");
        let [sagittal, coronal, transverse] = localizers;
        let localizer = PhantomSeries {
            other_planes: vec![self.image(&coronal), self.image(&transverse)],
            ..self.series(&sagittal)
        };
        vec![localizer, self.series(&self.acquisition.t1(&mut rng, scanner))]
    }

    /// The same sagittal slices in another contrast; studies hold T2 and T1 only.
    #[must_use]
    pub fn with_contrast(&self, sequence: Sequence) -> PhantomSeries {
        self.series(&self.acquisition.weighted(sequence, &mut stream(self.seed, 7), &self.parameters.scanner))
    }

    /// Masks of the T2 series, `[slice, row, column]`: [`scene::MASK_VERTEBRA`], [`scene::MASK_DISC`], [`scene::MASK_CANAL`], else 0.
    #[must_use]
    pub(crate) fn masks(&self) -> Vec<u8> {
        self.acquisition.labels(&self.scene)
    }

    /// One disc and the part of the T2 scan that its disc volume needs, with at most `beside` slices to either side of
    /// its middle (5 are all that a shifted disc volume shows); much faster than the whole. Its noise and scaling are its
    /// own. `None` if the disc is not wholly in the image.
    #[must_use]
    pub fn disc(&self, level: DiscLevel, beside: usize) -> Option<PhantomDisc> {
        let body = self.scene.spine.discs.iter().find(|disc| disc.level == Some(level))?;
        let crop = self.acquisition.cropped(body.frame.center(), beside).ok()?;
        let disc = discs_between(&truth::vertebrae(&self.scene, &crop)).into_iter().find(|disc| disc.level == level)?;
        let grades = self.pathology.discs.get(&level)?.grades.clone();
        Some(PhantomDisc { volume: self.image(&crop), disc, grades })
    }

    /// Number of slices of the T2 series.
    #[must_use]
    pub fn slices(&self) -> usize {
        self.acquisition.geometry.slices()
    }

    /// Bodies as they are outlined on the T2 series, as [`PhantomStudy::vertebrae`], without any image.
    #[must_use]
    pub fn vertebrae(&self) -> Vec<Vertebra> {
        truth::vertebrae(&self.scene, &self.acquisition)
    }

    /// Boxes of the findings on the T2 series, as [`PhantomStudy::boxes`], without any image.
    #[must_use]
    pub fn boxes(&self) -> Vec<SliceBox> {
        truth::boxes(&self.scene, &self.acquisition, &self.pathology)
    }

    /// Where the T2 series lies.
    #[must_use]
    pub fn geometry(&self) -> &VolumeGeometry {
        &self.acquisition.geometry
    }

    /// One slice of the T2 series, much faster than the whole; its noise and scaling are its own.
    ///
    /// # Panics
    /// If there is no such slice.
    #[must_use]
    pub fn slice(&self, slice: usize) -> Volume {
        self.image(&self.acquisition.slices(&[slice]).expect("directions are those of the series"))
    }

    fn series(&self, acquisition: &Acquisition) -> PhantomSeries {
        PhantomSeries {
            sequence: acquisition.sequence,
            volume: self.image(acquisition),
            other_planes: Vec::new(),
            thickness_mm: acquisition.thickness_mm,
            bits: acquisition.scaling.bits,
            window: acquisition.scaling.window,
        }
    }

    fn image(&self, acquisition: &Acquisition) -> Volume {
        acquisition.image(&self.scene, self.seed).expect("every slice is rows × columns")
    }
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

    /// Grades of the six discs of the patient that settings ask for, without any image.
    #[must_use]
    pub fn grades(settings: &PhantomSettings) -> BTreeMap<DiscLevel, PerGrading<u8>> {
        pathology::draw(&mut stream(settings.seed, 0), settings).grades()
    }

    /// The study that settings ask for.
    #[must_use]
    pub(crate) fn with_settings(settings: &PhantomSettings) -> PhantomStudy {
        PhantomPatient::draw(settings).study()
    }
}
